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
    /// What parameters have to fulfil together.
    pub rules: &'static [Rule],
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

/// What parameters have to fulfil together.
#[derive(Debug)]
pub struct Rule {
    /// Name of the parameter that is refused otherwise.
    pub param: &'static str,
    /// Whether it is fulfilled by values that are allowed one by one.
    pub holds: fn(&Params<'_>) -> bool,
    /// The same as a condition over the parameters' names.
    pub text: &'static str,
}

/// The values that a parameter may take, both ends included. All of them are handed over, and saved,
/// as numbers.
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
    /// One of several words, by its place; the first when none is given.
    Choice(&'static [&'static str]),
    /// Yes, which is one, or no, which is zero.
    Flag {
        /// Value when none is given.
        default: bool,
    },
    /// A number or nothing, which is NaN, and the value when none is given.
    Optional(&'static Domain),
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

    /// The flag at `index`.
    #[must_use]
    pub fn flag(&self, index: usize) -> bool {
        self.0[index] != 0.0
    }

    /// The number at `index`, if there is one.
    #[must_use]
    pub fn optional_float(&self, index: usize) -> Option<f64> {
        Some(self.0[index]).filter(|value| !value.is_nan())
    }

    /// The whole number at `index`, if there is one.
    #[must_use]
    pub fn optional_integer(&self, index: usize) -> Option<usize> {
        self.optional_float(index).map(|_| self.integer(index))
    }
}

impl Spec {
    /// Checks values against the declared domains.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Parameter`], for the first value that does not fit.
    #[inline(never)]
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
        let params = Params(values);
        for rule in self.rules {
            if !(rule.holds)(&params) {
                let mut given = self.params.iter().zip(values);
                let given = given.find(|(param, _)| param.name == rule.param);
                return Err(Error::Parameter {
                    name: rule.param,
                    given: given.map_or(f64::NAN, |(_, &value)| value),
                    expected: format!("such that {}", rule.text),
                });
            }
        }
        Ok(params)
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
            "rules",
            &list(self.rules.iter().map(Rule::to_json)),
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
        self.domain.write_json(&mut json);
        json.push('}');
        json
    }
}

impl Rule {
    fn to_json(&self) -> String {
        let mut json = String::from("{");
        push_member(&mut json, "param", &quoted(self.param));
        push_member(&mut json, "text", &quoted(self.text));
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
            Self::Choice(_) => 0.0,
            Self::Flag { default } => f64::from(u8::from(default)),
            Self::Optional(_) => f64::NAN,
        }
    }

    /// The smallest and the largest allowed value.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        match *self {
            Self::Integer { min, max, .. } => (f64::from(min), f64::from(max)),
            Self::Float { min, max, .. } => (min, max),
            Self::Choice(words) => (0.0, (words.len() - 1) as f64),
            Self::Flag { .. } => (0.0, 1.0),
            Self::Optional(domain) => domain.bounds(),
        }
    }

    /// Whether the value is allowed.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        let whole = match self {
            Self::Optional(domain) => return value.is_nan() || domain.contains(value),
            Self::Float { .. } => true,
            // A whole number survives the round trip through an integer.
            Self::Integer { .. } | Self::Choice(_) | Self::Flag { .. } => {
                libm::trunc(value) == value
            }
        };
        let (min, max) = self.bounds();
        // NaN fails the comparison.
        min <= value && value <= max && whole
    }

    fn in_words(&self) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Float { min, max, .. } => format!("a number from {min:?} to {max:?}"),
            Self::Choice(words) => format!("the place of one of {}", words.join(", ")),
            Self::Flag { .. } => "0 or 1".into(),
            Self::Optional(domain) => format!("{}, or NaN for none", domain.in_words()),
        }
    }

    fn write_json(&self, json: &mut String) {
        let (domain, optional) = match self {
            Self::Optional(domain) => (*domain, true),
            domain => (domain, false),
        };
        let (kind, default) = match *domain {
            Self::Integer { min, max, default } => {
                push_member(json, "min", &format!("{min}"));
                push_member(json, "max", &format!("{max}"));
                ("integer", format!("{default}"))
            }
            Self::Float { min, max, default } => {
                push_member(json, "min", &format!("{min:?}"));
                push_member(json, "max", &format!("{max:?}"));
                ("float", format!("{default:?}"))
            }
            Self::Choice(words) => {
                let words = || words.iter().map(|word| quoted(word));
                push_member(json, "options", &list(words()));
                ("choice", words().next().unwrap_or_default())
            }
            Self::Flag { default } => ("flag", format!("{default}")),
            // Nothing may be missing in two ways.
            Self::Optional(_) => ("", String::new()),
        };
        push_member(json, "kind", &quoted(kind));
        push_member(json, "default", if optional { "null" } else { &default });
        push_member(json, "optional", if optional { "true" } else { "false" });
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
