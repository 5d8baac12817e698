//! Placeholder until the pair harness below is written.
