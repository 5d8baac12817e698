//! Content encodings: which one a client prefers.
//!
//! | `Accept-Encoding` | of gzip and deflate |
//! |---|---|
//! | `gzip, deflate, br` | gzip |
//! | `deflate, gzip;q=0.8` | deflate |
//! | `*` | gzip |
//! | `gzip;q=0`, or none | neither |
//!
//! Source: RFC 9110 §12.5.3; ties are resolved as by the npm package `negotiator`, which the reference uses.

use std::cmp::Reverse;

use http::header::{self, HeaderMap};

/// How the body of a response is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentEncoding {
    /// `br`.
    Brotli,
    /// `deflate`, which is the zlib format.
    Deflate,
    /// `gzip`.
    Gzip,
}

impl ContentEncoding {
    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
        }
    }

    /// The one of `offered` that the client prefers. Of equal ones it is that which the client names first, and if it names neither (`*`), the first offered.
    /// `None` when it accepts none of them.
    pub fn negotiate(request: &HeaderMap, offered: &[Self]) -> Option<Self> {
        let ranges = || {
            request
                .get_all(header::ACCEPT_ENCODING)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .enumerate()
                .map(|(position, range)| Range::parse(range, position))
        };
        let best_for = |&encoding: &Self| {
            let fitting = ranges().filter(|range| range.fits(encoding));
            let best = fitting.max_by_key(|range| (range.exact, range.quality, range.position))?;
            (best.quality > 0).then_some((encoding, best))
        };
        offered
            .iter()
            .filter_map(best_for)
            .min_by_key(|(_, range)| (Reverse((range.quality, range.exact)), range.position))
            .map(|(encoding, _)| encoding)
    }
}

/// One item of the header: `gzip;q=0.8`.
struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    quality: u16,
    /// Whether it names an encoding, and not all that are not named.
    exact: bool,
    position: usize,
}

impl<'a> Range<'a> {
    fn parse(range: &'a str, position: usize) -> Self {
        let mut parts = range.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let quality = match quality.map(str::parse::<f32>) {
            None => 1.0,
            // What is no number accepts nothing.
            Some(quality) => quality.unwrap_or(0.0),
        };
        Self {
            name,
            quality: (quality.clamp(0.0, 1.0) * 1000.0) as u16,
            exact: name != "*",
            position,
        }
    }

    fn fits(&self, encoding: ContentEncoding) -> bool {
        !self.exact || self.name.eq_ignore_ascii_case(encoding.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ContentEncoding::{Brotli, Deflate, Gzip};
    use super::*;

    #[test]
    fn the_client_s_preference_counts_and_ties_go_to_what_it_names_first() {
        for (accepted, polls, files) in [
            ("gzip, deflate", Some(Gzip), Some(Gzip)),
            ("gzip, deflate, br", Some(Gzip), Some(Gzip)),
            ("br, gzip", Some(Gzip), Some(Brotli)),
            ("deflate", Some(Deflate), Some(Deflate)),
            ("deflate, gzip", Some(Deflate), Some(Deflate)),
            ("deflate;q=0.5, gzip;q=0.7", Some(Gzip), Some(Gzip)),
            (
                "deflate, gzip;q=0.8, br;q=0.9",
                Some(Deflate),
                Some(Deflate),
            ),
            ("GZIP ; Q=0.5", Some(Gzip), Some(Gzip)),
            ("*", Some(Gzip), Some(Brotli)),
            ("*;q=0.5, deflate", Some(Deflate), Some(Deflate)),
            ("gzip;q=0, *", Some(Deflate), Some(Brotli)),
            ("gzip;q=0, deflate;q=0.000", None, None),
            ("identity", None, None),
            ("identity, gzip;q=0.1", Some(Gzip), Some(Gzip)),
            ("", None, None),
            (",,;q=1,", None, None),
            ("gzip;q=NaN", None, None),
            ("gzip;q=x", None, None),
            ("gzip;q=-1", None, None),
            ("gzip;q=7", Some(Gzip), Some(Gzip)),
            ("gzip;level=9;q=0", None, None),
        ] {
            let request =
                HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().unwrap())]);
            let negotiate = |offered: &[_]| ContentEncoding::negotiate(&request, offered);
            assert_eq!(negotiate(&[Gzip, Deflate]), polls, "{accepted:?}");
            assert_eq!(negotiate(&[Brotli, Gzip, Deflate]), files, "{accepted:?}");
        }
        assert_eq!(ContentEncoding::negotiate(&HeaderMap::new(), &[Gzip]), None);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut request = HeaderMap::new();
        for value in ["br", "deflate", "gzip"] {
            request.append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        let preferred = ContentEncoding::negotiate(&request, &[Gzip, Deflate]);
        assert_eq!(preferred, Some(Deflate));
    }
}
