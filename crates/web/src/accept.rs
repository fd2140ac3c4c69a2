//! Which encodings a client takes [RFC 9110, 12.5.3].

/// How the bytes of a file are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Brotli.
    Brotli,
    /// gzip.
    Gzip,
}

impl Encoding {
    /// For `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Gzip => ".gz",
        }
    }
}

/// The encodings that a client takes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Accepted {
    brotli: bool,
    gzip: bool,
}

impl Accepted {
    /// A client that takes files only as they are.
    pub const NOTHING: Accepted = Accepted { brotli: false, gzip: false };

    /// Reads `Accept-Encoding`; no header is an empty one.
    pub fn from_header(value: &str) -> Accepted {
        let mut named = Accepted::NOTHING;
        let mut refused = Accepted::NOTHING;
        let mut rest = false;
        for entry in value.split(',') {
            let mut parts = entry.split(';');
            let coding = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let taken = !parts.any(is_zero_weight);
            let seen = if taken { &mut named } else { &mut refused };
            match coding.as_str() {
                "br" => seen.brotli = true,
                "gzip" | "x-gzip" => seen.gzip = true,
                "*" => rest = taken,
                _ => {}
            }
        }
        Accepted {
            brotli: named.brotli || (rest && !refused.brotli),
            gzip: named.gzip || (rest && !refused.gzip),
        }
    }

    /// Encodings to look for, the smallest first.
    pub(crate) fn in_order(self) -> impl Iterator<Item = Encoding> {
        [(self.brotli, Encoding::Brotli), (self.gzip, Encoding::Gzip)]
            .into_iter()
            .filter_map(|(taken, encoding)| taken.then_some(encoding))
    }
}

/// `q=0`, `q=0.0` and so on: explicitly not wanted.
fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(header: &str) -> Vec<&'static str> {
        Accepted::from_header(header).in_order().map(Encoding::name).collect()
    }

    #[test]
    fn browsers_get_brotli_first() {
        assert_eq!(order("gzip, deflate, br, zstd"), ["br", "gzip"]);
        assert_eq!(order("gzip;q=1.0, br;q=0.5"), ["br", "gzip"]);
    }

    #[test]
    fn zero_weight_refuses() {
        assert_eq!(order("br;q=0, gzip"), ["gzip"]);
        assert_eq!(order("br ; q=0.000 , gzip ; Q=0"), Vec::<&str>::new());
        assert_eq!(order("*;q=0"), Vec::<&str>::new());
    }

    #[test]
    fn star_stands_for_what_is_not_named() {
        assert_eq!(order("*"), ["br", "gzip"]);
        assert_eq!(order("br;q=0, *"), ["gzip"]);
    }

    #[test]
    fn nothing_and_nonsense_take_nothing() {
        assert_eq!(order(""), Vec::<&str>::new());
        assert_eq!(order("identity"), Vec::<&str>::new());
        assert_eq!(order(";;,=,q=,brx"), Vec::<&str>::new());
    }
}
