//! The declaration of an indicator, as data.
//!
//! Everything that is not arithmetic is derived from a [`Spec`]: the Python methods with their
//! docstrings and stubs, the documentation page, the property tests, the digests.

use crate::error::Error;
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

/// The longest window or period, in bars. Bounds the memory of a state to some tens of megabytes.
pub const MAX_PERIOD: u32 = 1_000_000;

/// The most input columns an indicator can have: open, high, low, close, volume.
pub const MAX_INPUTS: usize = 5;

/// The most output columns an indicator can have.
pub const MAX_OUTPUTS: usize = 4;

/// The declaration of one indicator.
#[derive(Debug)]
pub struct Spec {
    /// Identifier: lower case, the field's standard term.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Family: trend, momentum, volatility.
    pub group: &'static str,
    /// One sentence, imperative not needed, full stop included.
    pub summary: &'static str,
    /// The definition in plain algebra, one line per output or step.
    pub formula: &'static str,
    /// The book or paper that the formula comes from.
    pub source: &'static str,
    /// The independent implementation whose numbers these are.
    pub reference: &'static str,
    /// What happens at a missing bar (NaN).
    pub gaps: &'static str,
    /// Input columns: `x` is any single series, the rest are named.
    pub inputs: &'static [&'static str],
    /// Parameters, in positional order.
    pub params: &'static [Param],
    /// Output columns.
    pub outputs: &'static [Output],
    /// The bars that a result depends on, its own included; none when it is all bars so far.
    pub window: Option<Bars>,
    /// Whether `ln`, `exp` or `log10` take part; these come from `libm`.
    pub transcendental: bool,
    /// Raised whenever a released result changes by a bit.
    pub revision: u32,
}

/// One parameter.
#[derive(Debug)]
pub struct Param {
    /// Identifier.
    pub name: &'static str,
    /// What it means, with its unit.
    pub summary: &'static str,
    /// What it may be.
    pub domain: Domain,
}

/// The values that a parameter may take, both ends included.
#[derive(Clone, Copy, Debug)]
pub enum Domain {
    /// A whole number.
    Integer {
        /// Smallest allowed value.
        min: u32,
        /// Largest allowed value.
        max: u32,
        /// Value when none is given.
        default: u32,
    },
    /// A finite number.
    Float {
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
        /// Value when none is given.
        default: f64,
    },
}

/// One output column.
#[derive(Debug)]
pub struct Output {
    /// Identifier.
    pub name: &'static str,
    /// What it means, with its unit.
    pub summary: &'static str,
    /// The first bar, counted from zero, that can hold a value when no bar is missing.
    pub first_valid: Bars,
    /// The largest error against exact arithmetic.
    pub accuracy: Accuracy,
}

/// How far a result can be from that of exact arithmetic on the same inputs and parameters.
///
/// The error is at most `ulps` times 2^-53 times the magnitude that `of` names, or times 2^-1022 where
/// that is larger. 2^-53 is what one correctly rounded operation loses at most. Tests measure it: the
/// bound has to hold, and it may not be generous.
#[derive(Debug)]
pub struct Accuracy {
    /// The factor.
    pub ulps: f64,
    /// The magnitude, as an expression over inputs, parameters and outputs.
    pub of: &'static str,
}

/// A number of bars that follows from the parameters.
#[derive(Debug)]
pub struct Bars {
    /// The number.
    pub of: fn(&Params<'_>) -> u64,
    /// The same as an arithmetic expression over the parameters' names.
    pub text: &'static str,
}

/// Parameter values that have passed [`Spec::check`], in the spec's order.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a>(&'a [f64]);

impl Params<'_> {
    /// The whole number at `index`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked by Spec::check"
    )]
    pub fn integer(&self, index: usize) -> usize {
        self.0[index] as usize
    }

    /// One divided by the number at `index`: the smoothing factor of a Wilder average.
    #[must_use]
    pub fn reciprocal(&self, index: usize) -> f64 {
        1.0 / self.0[index]
    }

    /// The number at `index`.
    #[must_use]
    pub fn float(&self, index: usize) -> f64 {
        self.0[index]
    }
}

impl Spec {
    /// Checks values against the declared domains.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Parameter`], for the first value that does not fit.
    pub fn check<'a>(&self, values: &'a [f64]) -> Result<Params<'a>, Error> {
        if values.len() != self.params.len() {
            return Err(Error::Count {
                what: "parameters",
                given: values.len(),
                expected: self.params.len(),
            });
        }
        for (param, &given) in self.params.iter().zip(values) {
            if !param.domain.contains(given) {
                return Err(Error::Parameter {
                    name: param.name,
                    given,
                    expected: param.domain.in_words(),
                });
            }
        }
        Ok(Params(values))
    }

    /// The declaration as a JSON object: what the generators of the bindings read.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (key, text) in [
            ("name", self.name),
            ("title", self.title),
            ("group", self.group),
            ("summary", self.summary),
            ("formula", self.formula),
            ("source", self.source),
            ("reference", self.reference),
            ("gaps", self.gaps),
        ] {
            push_member(&mut json, key, &quoted(text));
        }
        push_member(
            &mut json,
            "inputs",
            &list(self.inputs.iter().map(|name| quoted(name))),
        );
        push_member(
            &mut json,
            "params",
            &list(self.params.iter().map(Param::to_json)),
        );
        push_member(
            &mut json,
            "outputs",
            &list(self.outputs.iter().map(Output::to_json)),
        );
        let window = self.window.as_ref();
        push_member(
            &mut json,
            "window",
            &window.map_or("null".into(), |window| quoted(window.text)),
        );
        push_member(
            &mut json,
            "transcendental",
            if self.transcendental { "true" } else { "false" },
        );
        push_member(&mut json, "revision", &format!("{}", self.revision));
        json.push('}');
        json
    }
}

impl Param {
    fn to_json(&self) -> String {
        let mut json = String::from("{");
        push_member(&mut json, "name", &quoted(self.name));
        push_member(&mut json, "summary", &quoted(self.summary));
        let (kind, min, max, default) = match self.domain {
            Domain::Integer { min, max, default } => (
                "integer",
                format!("{min}"),
                format!("{max}"),
                format!("{default}"),
            ),
            Domain::Float { min, max, default } => (
                "float",
                format!("{min:?}"),
                format!("{max:?}"),
                format!("{default:?}"),
            ),
        };
        push_member(&mut json, "kind", &quoted(kind));
        push_member(&mut json, "min", &min);
        push_member(&mut json, "max", &max);
        push_member(&mut json, "default", &default);
        json.push('}');
        json
    }
}

impl Output {
    fn to_json(&self) -> String {
        let mut json = String::from("{");
        push_member(&mut json, "name", &quoted(self.name));
        push_member(&mut json, "summary", &quoted(self.summary));
        push_member(&mut json, "first_valid", &quoted(self.first_valid.text));
        push_member(&mut json, "accuracy", &self.accuracy.to_json());
        json.push('}');
        json
    }
}

impl Accuracy {
    fn to_json(&self) -> String {
        let mut json = String::from("{");
        push_member(&mut json, "ulps", &format!("{:?}", self.ulps));
        push_member(&mut json, "of", &quoted(self.of));
        json.push('}');
        json
    }
}

impl Domain {
    /// A period or window length with the usual bounds.
    #[must_use]
    pub const fn period(min: u32, default: u32) -> Self {
        Self::Integer {
            min,
            max: MAX_PERIOD,
            default,
        }
    }

    /// The value used when none is given.
    #[must_use]
    pub fn default(&self) -> f64 {
        match *self {
            Self::Integer { default, .. } => f64::from(default),
            Self::Float { default, .. } => default,
        }
    }

    /// The smallest and the largest allowed value.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        match *self {
            Self::Integer { min, max, .. } => (f64::from(min), f64::from(max)),
            Self::Float { min, max, .. } => (min, max),
        }
    }

    fn contains(&self, value: f64) -> bool {
        let (min, max) = self.bounds();
        // NaN fails the comparison; a whole number survives the round trip through an integer.
        let whole = matches!(self, Self::Float { .. }) || libm::trunc(value) == value;
        min <= value && value <= max && whole
    }

    fn in_words(&self) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Float { min, max, .. } => format!("a number from {min:?} to {max:?}"),
        }
    }
}

fn push_member(json: &mut String, key: &str, value: &str) {
    if !json.ends_with('{') {
        json.push(',');
    }
    json.push_str(&quoted(key));
    json.push(':');
    json.push_str(value);
}

pub(crate) fn list(items: impl Iterator<Item = String>) -> String {
    let mut json = String::from("[");
    for item in items {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&item);
    }
    json.push(']');
    json
}

fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                json.push('\\');
                json.push(c);
            }
            '\n' => json.push_str("\\n"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
