//! Which program uses a UDP port, for the error message when it is taken. Linux only.

/// The name and process id of the program that uses a UDP port of this machine, if they can be found.
#[cfg(target_os = "linux")]
pub fn of_udp_port(port: u16) -> Option<String> {
    let inode = ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| inode_of(&table, port).map(str::to_owned))?;
    let socket = format!("socket:[{inode}]");
    let holds = |process: &std::path::Path| {
        let open = std::fs::read_dir(process.join("fd")).ok()?;
        open.flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket.as_str()))
            .then_some(())
    };
    let processes = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit())));
    for process in processes {
        if holds(&process.path()).is_some() {
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    None
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
pub fn of_udp_port(_port: u16) -> Option<String> {
    None
}

/// The inode of the socket bound to a port, in the format of `/proc/net/udp`.
#[cfg(target_os = "linux")]
fn inode_of(table: &str, port: u16) -> Option<&str> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let (_, hex) = local.rsplit_once(':')?;
        (u16::from_str_radix(hex, 16) == Ok(port)).then(|| fields.nth(7)).flatten()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod test {
    #[test]
    fn the_owner_of_a_port_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let found = super::of_udp_port(socket.local_addr().unwrap().port()).unwrap();
        assert!(found.contains(&format!("process {}", std::process::id())), "{found}");
    }

    #[test]
    fn the_table_of_the_kernel_is_understood() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
                     1283: 0100007F:2328 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 424242 2 0000000000000000 0\n";
        assert_eq!(super::inode_of(table, 9000), Some("424242"));
        assert_eq!(super::inode_of(table, 9001), None);
    }
}
