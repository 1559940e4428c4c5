//! The files of the page, built into the program. Browsers keep them and ask whether they are still the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    /// The path in the page's address.
    path: &'static str,
    /// Its content type.
    pub kind: &'static str,
    pub text: &'static str,
    /// Changes with the text: an entity tag with its quotes.
    pub tag: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    const HTML: &str = "text/html; charset=utf-8";
    const CSS: &str = "text/css; charset=utf-8";
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    [
        ("/page.html", HTML, include_str!("page/page.html")),
        ("/page.css", CSS, include_str!("page/page.css")),
        ("/play.css", CSS, include_str!("page/play.css")),
        ("/wire.js", SCRIPT, include_str!("page/wire.js")),
        ("/list.js", SCRIPT, include_str!("page/list.js")),
        ("/fader.js", SCRIPT, include_str!("page/fader.js")),
        ("/play.js", SCRIPT, include_str!("page/play.js")),
        ("/explorer.js", SCRIPT, include_str!("page/explorer.js")),
        ("/tabs.js", SCRIPT, include_str!("page/tabs.js")),
    ]
    .map(|(path, kind, text)| {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Asset { path, kind, text, tag: format!("\"{:016x}\"", hasher.finish()) }
    })
    .into()
});

/// The file at a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The page itself.
pub fn page() -> &'static Asset {
    &ASSETS[0]
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_page_finds_all_its_files_and_nothing_else() {
        let page = page();
        let quoted = page.text.split('"');
        let named: Vec<&str> =
            quoted.filter(|word| word.starts_with('/') && (word.ends_with(".js") || word.ends_with(".css"))).collect();
        assert!(named.iter().all(|path| find(path).is_some()), "{named:?}");
        assert_eq!(named.len(), ASSETS.len() - 1, "each file is used once");
        for asset in ASSETS.iter() {
            assert!(!asset.text.contains("http://") || asset.text.contains("http://www.w3.org"), "{}", asset.path);
            assert!(!asset.text.contains("https://"), "{} is whole", asset.path);
            // The policy of the page allows neither.
            assert!(!asset.text.contains(" style=\"") && !asset.text.contains(" onclick=\""), "{}", asset.path);
        }
        let mut tags: Vec<&str> = ASSETS.iter().map(|asset| asset.tag.as_str()).collect();
        tags.dedup();
        assert_eq!(tags.len(), ASSETS.len());
    }
}
