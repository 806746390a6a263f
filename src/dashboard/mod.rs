//! The dashboard's files, as they are served: embedded, told apart by what is in them, small on their way.
//!
//! There is no build step: what stands under `assets/` is what a browser gets. A file is one line in [`ASSETS`]; a test compares
//! the table with the folder. Who may have what is [`admin`](crate::admin)'s to decide.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest;

/// What a page may load, and from where: from here alone, and no script or style that stands in the page itself.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                          font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A file.
#[derive(Debug)]
pub struct Asset {
    /// Where it stands under `/assets/`, and in the folder.
    pub name: &'static str,
    bytes: &'static [u8],
    /// Whether whoever is not logged in may have it: it is part of the page where one logs in.
    pub is_open: bool,
    told: OnceLock<Told>,
}

impl PartialEq for Asset {
    fn eq(&self, other: &Asset) -> bool {
        self.name == other.name
    }
}

impl Eq for Asset {}

/// What is worked out once, when it is first asked for.
#[derive(Debug)]
struct Told {
    tag: String,
    /// Where that is shorter.
    small: Option<Bytes>,
}

/// One form of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What is sent.
    pub content: Bytes,
    /// A strong entity tag (RFC 9110 §8.8.3), with its quotes.
    pub tag: String,
    /// Whether it is gzip's.
    pub is_gzip: bool,
}

/// Of the page where one logs in, or for those who are.
macro_rules! open {
    (login) => {
        true
    };
    (inside) => {
        false
    };
}

/// The table, from kinds and names.
macro_rules! assets {
    ($($kind:ident $name:literal),* $(,)?) => {
        const COUNT: usize = [$($name),*].len();

        static ASSETS: [Asset; COUNT] = [$(Asset {
            name: $name,
            bytes: include_bytes!(concat!("assets/", $name)),
            is_open: open!($kind),
            told: OnceLock::new(),
        }),*];
    };
}

assets! {
    login "css/base.css",
    login "css/login.css",
    inside "css/overview.css",
    inside "css/search.css",
    login "icon.svg",
    inside "index.html",
    inside "js/api.js",
    inside "js/app.js",
    inside "js/chart-axis.js",
    inside "js/chart-brush.js",
    inside "js/chart-frame.js",
    inside "js/chart.js",
    inside "js/colours.js",
    inside "js/dom.js",
    inside "js/format.js",
    inside "js/i18n.js",
    inside "js/links.js",
    login "js/login.js",
    inside "js/overview/alerts-page.js",
    inside "js/overview/alerts.js",
    inside "js/overview/charts.js",
    inside "js/overview/entries.js",
    inside "js/overview/heat.js",
    inside "js/overview/inflight.js",
    inside "js/overview/outputs.js",
    inside "js/overview/page.js",
    inside "js/overview/refresh.js",
    inside "js/overview/routes.js",
    inside "js/overview/sparkline.js",
    inside "js/overview/state.js",
    inside "js/overview/tiles.js",
    inside "js/overview/upstreams.js",
    inside "js/picker.js",
    inside "js/range.js",
    inside "js/request/facts.js",
    inside "js/request/page.js",
    inside "js/request/story.js",
    inside "js/request/waterfall.js",
    inside "js/router.js",
    inside "js/search/address.js",
    inside "js/search/box.js",
    inside "js/search/brush.js",
    inside "js/search/complaint.js",
    inside "js/search/completion.js",
    inside "js/search/copy.js",
    inside "js/search/expression.js",
    inside "js/search/facets.js",
    inside "js/search/fields.js",
    inside "js/search/histogram.js",
    inside "js/search/icons.js",
    inside "js/search/lexer.js",
    inside "js/search/page.js",
    inside "js/search/pager.js",
    inside "js/search/record.js",
    inside "js/search/results.js",
    inside "js/search/scale.js",
    inside "js/search/take.js",
    inside "js/search/vocabulary.js",
    inside "js/search/words.js",
    inside "js/tail/buffer.js",
    inside "js/tail/page.js",
    inside "js/tail/rows.js",
    inside "js/theme.js",
    inside "js/time.js",
    inside "js/words/en.js",
    inside "js/words/ko.js",
    inside "js/words/search.en.js",
    inside "js/words/search.ko.js",
    login "login.html",
    inside "vendor/README.md",
    inside "vendor/uPlot.LICENSE",
    inside "vendor/uPlot.esm.js",
    inside "vendor/uPlot.min.css",
}

/// Where files are, but for the pages.
const FOLDER: &str = "/assets/";

/// The file that a path is. Pages are told apart by the browser, and are one file.
pub fn find(path: &str) -> Option<&'static Asset> {
    let name = match path {
        "/" | "/search" | "/tail" | "/alerts" => "index.html",
        "/login" => "login.html",
        path if path.strip_prefix("/requests/").is_some_and(|id| !id.is_empty() && !id.contains('/')) => "index.html",
        path => path.strip_prefix(FOLDER).filter(|name| !name.ends_with(".html"))?,
    };
    ASSETS.iter().find(|asset| asset.name == name)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Asset> {
    ASSETS.iter()
}

impl Asset {
    /// As `Content-Type` has it.
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, kind)| kind) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Whether it is a page, and not a part of one.
    pub fn is_page(&self) -> bool {
        self.name.ends_with(".html")
    }

    /// For whoever takes gzip, or not.
    pub fn form(&self, takes_gzip: bool) -> Form {
        let told = self.told.get_or_init(|| Told::of(self.bytes));
        match told.small.as_ref().filter(|_| takes_gzip) {
            Some(small) => Form { content: small.clone(), tag: format!("\"{}-gz\"", told.tag), is_gzip: true },
            None => Form { content: Bytes::from_static(self.bytes), tag: format!("\"{}\"", told.tag), is_gzip: false },
        }
    }
}

impl Told {
    fn of(bytes: &[u8]) -> Told {
        let digest = digest::digest(&digest::SHA256, bytes);
        let tag = digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Told { tag, small: compressed(bytes).filter(|small| small.len() < bytes.len()) }
    }
}

fn compressed(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::path::Path;

    use super::*;

    fn files(folder: &Path, under: &str, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{under}{}", entry.file_name().to_str().expect("UTF-8"));
            match entry.file_type().expect("a type").is_dir() {
                true => files(&entry.path(), &format!("{name}/"), names),
                false => drop(names.insert(name)),
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_nothing_else() {
        let mut names = BTreeSet::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/assets"), "", &mut names);
        assert_eq!(all().map(|asset| asset.name.to_owned()).collect::<BTreeSet<_>>(), names);
        assert_eq!(all().count(), names.len());
    }

    #[test]
    fn pages_are_one_file_and_parts_are_found_by_their_names() {
        for page in ["/", "/search", "/tail", "/alerts", "/requests/0199-a"] {
            assert_eq!(find(page).map(|asset| asset.name), Some("index.html"), "{page}");
        }
        assert_eq!(find("/login").map(|asset| (asset.name, asset.is_open)), Some(("login.html", true)));
        assert_eq!(find("/assets/js/app.js").map(|asset| asset.content_type()), Some("text/javascript; charset=utf-8"));
        for none in
            ["/assets/", "/assets/index.html", "/assets/../mod.rs", "/requests/", "/requests/a/b", "/search/", "", "//"]
        {
            assert!(find(none).is_none(), "{none}");
        }
    }

    #[test]
    fn both_forms_are_the_file_and_their_tags_differ() {
        for asset in all() {
            let (plain, small) = (asset.form(false), asset.form(true));
            assert_eq!(&plain.content[..], asset.bytes);
            assert_eq!((plain.is_gzip, &asset.form(false)), (false, &plain));
            if small.is_gzip {
                let mut unpacked = Vec::new();
                flate2::read::GzDecoder::new(&small.content[..]).read_to_end(&mut unpacked).expect("gzip");
                assert_eq!((&unpacked[..], small.tag == plain.tag), (asset.bytes, false), "{}", asset.name);
            }
        }
    }

    /// The first view, as it goes over the wire: the files that every page loads.
    #[test]
    fn all_of_it_is_small() {
        let whole: usize = all().map(|asset| asset.form(true).content.len()).sum();
        assert!(whole < 150_000, "{whole}");
    }

    /// Whatever comes from a log is put into a page as text.
    #[test]
    fn no_script_makes_markup_of_text() {
        const NEVER: [&str; 8] = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
            "javascript:",
        ];
        for asset in all().filter(|asset| asset.name.ends_with(".js") || asset.name.ends_with(".html")) {
            let text = std::str::from_utf8(asset.bytes).expect("UTF-8");
            for never in NEVER {
                assert!(!text.contains(never), "{}: {never}", asset.name);
            }
        }
        for asset in all().filter(|asset| asset.is_page()) {
            let text = std::str::from_utf8(asset.bytes).expect("UTF-8");
            let inline = text
                .match_indices("<script")
                .any(|(at, _)| !text[at..].split('>').next().unwrap_or("").contains("src="));
            assert!(
                !inline && !text.contains("<style") && !text.contains(" style=") && !text.contains(" on"),
                "{}",
                asset.name
            );
        }
    }
}
