//! Families of namespaces: what they have in common is a rule that says which names belong to them, and a parent with their handlers.

use engine_io::Text;
use regex_lite::Regex;

use super::candidate::{Candidate, ErasedDecide};
use super::error::Failure;
use super::namespace::Namespace;
use super::path::{ParamList, PathPattern};
use crate::panic::{CatchPanic, caught};

pub(crate) struct Family {
    pub(crate) rule: Rule,
    pub(crate) parent: Namespace,
}

/// Which names belong to a family.
pub(crate) enum Rule {
    Path(PathPattern),
    Regex(Regex),
    Function(Box<dyn Fn(&str) -> bool + Send + Sync>),
    Decision(ErasedDecide),
}

impl Rule {
    /// The parameters of a name that belongs to the family, as far as that can be told at once and without a client.
    pub(crate) fn accept(&self, name: &Text) -> Result<Option<ParamList>, Failure> {
        Ok(match self {
            Self::Path(pattern) => pattern.matches(name),
            Self::Regex(regex) => regex.captures(name).map(|captures| {
                let names = regex.capture_names().flatten();
                let found = names.filter_map(|group| {
                    let value = captures.name(group)?;
                    Some((group.into(), name.slice_ref(value.as_str())))
                });
                found.collect()
            }),
            Self::Function(accept) => caught(|| accept(name))?.then(ParamList::default),
            Self::Decision(_) => None,
        })
    }

    /// The same for a client, who may have to wait for the answer.
    pub(crate) async fn decide(&self, candidate: &Candidate) -> Result<Option<ParamList>, Failure> {
        let Self::Decision(decide) = self else {
            return self.accept(&candidate.name);
        };
        let future = match caught(|| decide(candidate))? {
            Ok(future) => future,
            // The client sent something else than what is asked for: that is a no, and nothing to be told of.
            Err(Failure::Args(_)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let accepted = CatchPanic(future).await?.map_err(Failure::Returned)?;
        Ok(accepted.then(ParamList::default))
    }
}
