//! Keys and derivations against values computed elsewhere.

use super::*;
