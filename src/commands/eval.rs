//! `eval`: sends live code to a running instrument, and prints what came of it. For editors.
//!
//! On a terminal it also says which instrument that was; an editor shows what is printed, and asked for no more.

use std::fmt;
use std::io::{IsTerminal, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use rosc::{OscMessage, OscPacket, OscType};
use tokio_tungstenite::tungstenite::Message;

use crate::control::osc::MAX_CODE;
use crate::params::Id;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The code, a file with it, or - to read it from standard input
    #[arg(default_value = "-", value_name = "CODE|FILE|-")]
    code: String,
    /// The name of the file that the code is from, for messages
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// The line of the file on which the code begins
    #[arg(long, default_value_t = 1, value_name = "N")]
    line: u32,
    /// The code is a whole file: what an earlier version of it played and this one does not, ends
    #[arg(long)]
    whole: bool,
    /// Waits for the next beat or bar
    #[arg(long, value_parser = ["beat", "bar"], value_name = "beat|bar")]
    on: Option<String>,
    /// Takes back the last evaluation instead
    #[arg(long, conflicts_with_all = ["file", "line", "whole", "on"])]
    undo: bool,
    /// Where the instrument's page is
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDRESS")]
    to: SocketAddr,
}

/// How long the answer may take. Code that waits for its beat is answered when it has been evaluated.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Where the instrument is.
    pub at: SocketAddr,
    /// The name of the preset that plays there.
    pub preset: String,
    /// `12 ok`, what was printed on further lines; or `12 drift.luau:3: message`. Empty if nothing was evaluated.
    pub answer: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which plays {}", self.at, self.preset)
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let tell = |reply: &Reply| {
        if std::io::stderr().is_terminal() {
            warn!("{reply}");
        }
    };
    if options.undo {
        tell(&waiting(options.to, undo(options.to))?);
        return Ok(());
    }
    let (text, own_name) = code(&options.code)?;
    let name = options.file.clone().or(own_name).unwrap_or_else(|| "live".to_owned());
    // Spaces would end the name.
    let mut head = format!("--@ {}:{}", name.replace(char::is_whitespace, "_"), options.line.max(1));
    for word in options.on.as_deref().into_iter().chain(options.whole.then_some("file")) {
        head.push(' ');
        head.push_str(word);
    }
    let code = format!("{head}\n{text}");
    ensure!(code.len() < MAX_CODE - 64, "{} bytes of code; at most {} are sent", code.len(), MAX_CODE - 64);
    let reply = evaluate(options.to, code)?;
    tell(&reply);
    let result = reply.answer.split_once(' ').map_or(reply.answer.as_str(), |(_, result)| result);
    match result.strip_prefix("ok") {
        Some(output) => {
            output.lines().filter(|line| !line.is_empty()).for_each(|line| say!("{line}"));
            Ok(())
        }
        None => bail!("{result}"),
    }
}

/// Evaluates code in the instrument whose page is at `to`. Its first line may say where it comes from: `--@ drift.luau:12 bar`.
///
/// # Errors
/// When no instrument answers there. What is wrong with the code is in the answer.
pub fn evaluate(to: SocketAddr, code: String) -> anyhow::Result<Reply> {
    waiting(to, send(to, code))
}

/// Waits for an answer, but not for ever.
fn waiting(to: SocketAddr, answer: impl Future<Output = anyhow::Result<Reply>>) -> anyhow::Result<Reply> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
    answer.with_context(|| format!("no answer from {to} within {PATIENCE:?}"))?
}

/// The code, and the name of its file.
fn code(given: &str) -> anyhow::Result<(String, Option<String>)> {
    if given == "-" {
        let mut text = String::new();
        std::io::stdin().take(MAX_CODE as u64).read_to_string(&mut text).context("reading standard input")?;
        return Ok((text, None));
    }
    let path = PathBuf::from(given);
    if path.is_file() {
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        return Ok((text, path.file_name().map(|name| name.to_string_lossy().into_owned())));
    }
    Ok((given.to_owned(), None))
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn connect(to: SocketAddr) -> anyhow::Result<Socket> {
    let missing = || format!("no instrument answers at {to}: start latent-jockey, or name its page with --to");
    let stream = tokio::net::TcpStream::connect(to).await.with_context(missing)?;
    let (socket, _) = tokio_tungstenite::client_async(format!("ws://{to}/"), stream).await.with_context(missing)?;
    Ok(socket)
}

async fn undo(at: SocketAddr) -> anyhow::Result<Reply> {
    let mut socket = connect(at).await?;
    let preset = listen(&mut socket, Id::Preset).await?;
    socket.send(written(Id::EvalUndo, Vec::new())?).await?;
    socket.close(None).await.context("closing the connection")?;
    Ok(Reply { at, preset, answer: String::new() })
}

/// Sends the code; the answer is `/eval/result` as it is after that.
async fn send(at: SocketAddr, code: String) -> anyhow::Result<Reply> {
    let mut socket = connect(at).await?;
    let preset = listen(&mut socket, Id::Preset).await?;
    // That of the last evaluation.
    let before = listen(&mut socket, Id::EvalResult).await?;
    socket.send(written(Id::Eval, vec![OscType::String(code)])?).await?;
    loop {
        let answer = next(&mut socket, Id::EvalResult).await?;
        if answer != before {
            return Ok(Reply { at, preset, answer });
        }
    }
}

fn written(id: Id, args: Vec<OscType>) -> anyhow::Result<Message> {
    let message = OscMessage { addr: id.def().address.to_owned(), args };
    let bytes = rosc::encoder::encode(&OscPacket::Message(message)).context("the code as a message")?;
    Ok(Message::binary(bytes))
}

/// The value of a parameter now; its next ones are sent too.
async fn listen(socket: &mut Socket, id: Id) -> anyhow::Result<String> {
    let listen = serde_json::json!({ "COMMAND": "LISTEN", "DATA": id.def().address }).to_string();
    socket.send(Message::text(listen)).await?;
    next(socket, id).await
}

/// The next value of a parameter.
async fn next(socket: &mut Socket, id: Id) -> anyhow::Result<String> {
    while let Some(message) = socket.next().await {
        let Message::Binary(bytes) = message? else { continue };
        let Ok((_, OscPacket::Message(message))) = rosc::decoder::decode_udp(&bytes) else { continue };
        if message.addr == id.def().address
            && let Some(OscType::String(text)) = message.args.into_iter().next()
        {
            return Ok(text);
        }
    }
    bail!("the instrument has closed the connection")
}
