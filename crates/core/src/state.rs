//! Saved states: how the stateful parts of a kernel become bytes and come back.
//!
//! Layout, all little-endian, the same on every backend:
//!
//! | bytes | meaning |
//! |---|---|
//! | 4 | magic `ICST` |
//! | 2 | format version |
//! | 1 + n | indicator's name, length first |
//! | 4 | indicator's revision |
//! | 1 + 8 n | parameters, count first |
//! | 8 | bars taken |
//! | rest | the parts, in the order of `Kernel::parts` |
//! | 4 | CRC-32 (IEEE 802.3) of everything before |
//!
//! Part layouts hold what a reader of the *specification* knows (raw inputs of a window, the carry
//! of a recurrence), never an implementation's cursors or intermediate sums, so that another
//! implementation can write and read them. No `usize` is stored.

use crate::error::Error;
use crate::primitives::canonical;
use alloc::vec::Vec;

const MAGIC: &[u8; 4] = b"ICST";
const VERSION: u16 = 1;
/// Of bars taken: leaves room for all that one run can add.
pub(crate) const MOST_BARS: u64 = 1 << 62;
const CHECKSUM_BYTES: usize = 4;

/// A stateful part of a kernel.
pub trait State {
    /// Back to the state after construction, without allocating.
    fn reset(&mut self);

    /// Appends the state.
    fn save(&self, to: &mut Writer);

    /// Takes over a saved state.
    ///
    /// # Errors
    /// [`Error::State`] when the bytes cannot be one.
    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error>;
}

/// Collects the bytes of a saved state.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Appends a number; every NaN is stored as the canonical one.
    pub fn float(&mut self, value: f64) {
        self.bytes(&canonical(value).to_le_bytes());
    }

    /// Appends a count.
    pub fn integer(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends a flag.
    pub fn flag(&mut self, value: bool) {
        self.bytes(&[u8::from(value)]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Takes a saved state apart again.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Takes a number.
    ///
    /// # Errors
    /// [`Error::State`] at the end of the bytes.
    pub fn float(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// Takes a count.
    ///
    /// # Errors
    /// [`Error::State`] at the end of the bytes.
    pub fn integer(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a count that must be below `end`, else `complaint`.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn below(&mut self, end: usize, complaint: &'static str) -> Result<usize, Error> {
        usize::try_from(self.integer()?)
            .ok()
            .filter(|&count| count < end)
            .ok_or(Error::State(complaint))
    }

    /// Takes a flag.
    ///
    /// # Errors
    /// [`Error::State`] at the end of the bytes, or when the byte is neither 0 nor 1.
    pub fn flag(&mut self) -> Result<bool, Error> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Error::State("a flag is neither 0 nor 1")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(Error::State("truncated"))?;
        self.0 = tail;
        Ok(*head)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self
            .0
            .split_at_checked(len)
            .ok_or(Error::State("truncated"))?;
        self.0 = tail;
        Ok(head)
    }
}

/// What precedes the parts in a saved state.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) revision: u32,
    pub(crate) params: Vec<f64>,
    pub(crate) bars: u64,
}

impl<'a> Header<'a> {
    pub(crate) fn write(&self) -> Writer {
        let mut to = Writer::default();
        to.bytes(MAGIC);
        to.bytes(&VERSION.to_le_bytes());
        to.bytes(&[u8::try_from(self.name.len()).unwrap_or(u8::MAX)]);
        to.bytes(self.name);
        to.bytes(&self.revision.to_le_bytes());
        to.bytes(&[u8::try_from(self.params.len()).unwrap_or(u8::MAX)]);
        for &value in &self.params {
            to.float(value);
        }
        to.integer(self.bars);
        to
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Result<(Self, Reader<'a>), Error> {
        let body = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .ok_or(Error::State("truncated"))?;
        let (body, checksum) = bytes.split_at(body);
        let mut from = Reader(body);
        if &from.array()? != MAGIC {
            return Err(Error::State("it does not begin as a saved state does"));
        }
        if u16::from_le_bytes(from.array()?) != VERSION {
            return Err(Error::State("it was written in another format version"));
        }
        if checksum != crc32(body).to_le_bytes() {
            return Err(Error::State("its checksum is wrong"));
        }
        let [len] = from.array()?;
        let name = from.slice(usize::from(len))?;
        let revision = u32::from_le_bytes(from.array()?);
        let [count] = from.array()?;
        let params = (0..count).map(|_| from.float()).collect::<Result<_, _>>()?;
        let bars = from.integer()?;
        if bars > MOST_BARS {
            return Err(Error::State("it has taken more bars than there can be"));
        }
        Ok((
            Self {
                name,
                revision,
                params,
                bars,
            },
            from,
        ))
    }
}

/// Seals what was written.
#[inline(never)]
pub(crate) fn finish(writer: Writer) -> Vec<u8> {
    let mut bytes = writer.0;
    let checksum = crc32(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Refuses bytes that no part has asked for.
pub(crate) fn expect_end(reader: &Reader<'_>) -> Result<(), Error> {
    if reader.0.is_empty() {
        Ok(())
    } else {
        Err(Error::State("it is too long"))
    }
}

/// CRC-32 as in IEEE 802.3 and zlib: guards against accidents, not against adversaries.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
    })
}

static CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index: u32 = 0;
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            bit += 1;
        }
        table[index as usize] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
