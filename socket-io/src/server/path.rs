//! Names of namespaces with parameters in them: `/project/{id}/room/{room}`.
//!
//! | pattern | name | parameters |
//! |---|---|---|
//! | `/project/{id}` | `/project/42` | `id` = `42` |
//! | `/project-{id}` | `/project-42` | `id` = `42` |
//! | `/project/{id}` | `/project/`, `/project/4/2` | does not match: a parameter is not empty and stays within its segment |
//! | `/{a}/{b}` | `/x y/%20` | `a` = `x y`, `b` = `%20`: names are text, so nothing is decoded |
//! | `/{{a}}` | `/{a}` | none: a doubled brace is the character itself |

use engine_io::Text;

/// The named parts of a namespace's name, in their order.
pub(crate) type ParamList = Box<[(Text, Text)]>;

#[derive(Debug)]
pub(crate) struct PathPattern {
    segments: Vec<Segment>,
}

/// What stands between two slashes. Without a parameter, all of it is `before`.
#[derive(Debug, Default)]
struct Segment {
    before: String,
    param: Option<Text>,
    after: String,
}

impl PathPattern {
    /// Reads a pattern that begins with a slash; the error says what is wrong with it.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        if pattern.contains(',') {
            return Err("the name of a namespace cannot have a comma".into());
        }
        let segments = pattern.split('/').map(Segment::parse);
        let segments = segments.collect::<Result<Vec<_>, _>>()?;
        let mut seen: Vec<&Text> = Vec::new();
        for name in segments.iter().filter_map(|segment| segment.param.as_ref()) {
            if seen.contains(&name) {
                return Err(format!("the parameter {{{name}}} is there twice"));
            }
            seen.push(name);
        }
        Ok(Self { segments })
    }

    /// The parameters of a name that matches; they share its buffer.
    pub(crate) fn matches(&self, name: &Text) -> Option<ParamList> {
        let mut params = Vec::new();
        let mut parts = name.split('/');
        for segment in &self.segments {
            let part = parts.next()?;
            match &segment.param {
                None if part == segment.before => {}
                None => return None,
                Some(param) => {
                    let rest = part.strip_prefix(&*segment.before)?;
                    let value = rest.strip_suffix(&*segment.after)?;
                    if value.is_empty() {
                        return None;
                    }
                    params.push((param.clone(), name.slice_ref(value)));
                }
            }
        }
        parts.next().is_none().then(|| params.into())
    }
}

impl Segment {
    fn parse(segment: &str) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut literal = String::new();
        let mut rest = segment;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                literal.push_str(brace);
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err("a } closes nothing; }} is the character itself".into());
            }
            let Some((name, behind)) = behind.split_once('}') else {
                return Err(format!(
                    "a parameter is not closed in {segment:?}; {{{{ is the character itself"
                ));
            };
            if name.is_empty() {
                return Err("a parameter has no name".into());
            }
            if name.contains(['{', '*']) {
                return Err(format!("{name:?} is no name of a parameter"));
            }
            if parsed.param.replace(name.into()).is_some() {
                return Err(format!("two parameters in one segment: {segment:?}"));
            }
            parsed.before = std::mem::take(&mut literal);
            rest = behind;
        }
        literal.push_str(rest);
        match parsed.param {
            Some(_) => parsed.after = literal,
            None => parsed.before = literal,
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: Option<&[(&str, &str)]>) {
        let found = PathPattern::parse(pattern).unwrap().matches(&name.into());
        let found = found.as_ref().map(|params| {
            let params = params.iter();
            params.map(|(name, value)| (&**name, &**value)).collect()
        });
        assert_eq!(found, expected.map(<[_]>::to_vec), "{pattern} and {name}");
    }

    #[test]
    fn parameters_take_what_stands_in_their_segment() {
        for (pattern, name, params) in [
            ("/project/{id}", "/project/42", &[("id", "42")][..]),
            ("/project-{id}", "/project-42", &[("id", "42")]),
            ("/{name}.json", "/a.b.json", &[("name", "a.b")]),
            ("/v{major}-beta", "/v1-beta", &[("major", "1")]),
            ("/{a}/x/{b}", "/1/x/2", &[("a", "1"), ("b", "2")]),
            ("/{a}/{b}", "/x y/%20", &[("a", "x y"), ("b", "%20")]),
            ("/{ü}", "/🦀", &[("ü", "🦀")]),
            ("/{{a}}", "/{a}", &[]),
            ("/{{{a}}}", "/{x}", &[("a", "x")]),
            ("/fixed", "/fixed", &[]),
        ] {
            check(pattern, name, Some(params));
        }
    }

    #[test]
    fn other_names_do_not_match() {
        for (pattern, name) in [
            ("/project/{id}", "/project/"),
            ("/project/{id}", "/project"),
            ("/project/{id}", "/project/4/2"),
            ("/project/{id}", "/project/42/"),
            ("/project/{id}", "/PROJECT/42"),
            ("/project/{id}", "/x/project/42"),
            ("/{a}-{{", "/-{"),
            ("/a{x}a", "/a"),
            ("/a{x}a", "/aa"),
            ("/{a}", "//"),
            ("/{a}", "/"),
            ("/fixed", "/fixed2"),
        ] {
            check(pattern, name, None);
        }
    }

    #[test]
    fn patterns_that_make_no_sense_are_refused() {
        for (pattern, complaint) in [
            ("/{id", "not closed"),
            ("/{a/b}", "not closed"),
            ("/id}", "closes nothing"),
            ("/{}", "has no name"),
            ("/{*rest}", "is no name"),
            ("/{a{b}", "is no name"),
            ("/{a}{b}", "two parameters in one segment"),
            ("/{a}/{a}", "the parameter {a} is there twice"),
            ("/{a},", "cannot have a comma"),
        ] {
            let error = PathPattern::parse(pattern).unwrap_err();
            assert!(error.contains(complaint), "{pattern}: {error}");
        }
    }
}
