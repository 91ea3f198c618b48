//! The kernels as a WebAssembly module for any engine.
//!
//! The module imports nothing, so it can touch nothing but its own memory. It exports that memory and
//! one function, [`call`], of two integers: an operation and, mostly, the address of an argument block. A
//! call costs microseconds, and more for each parameter: hence two, and one operation for a whole run.
//!
//! An argument block is a row of words (`usize`, four bytes on wasm32) that the host writes and the
//! module overwrites with its answer, where it has one:
//!
//! | operation | second argument, or words in | result, or words out |
//! |---|---|---|
//! | 0 allocate | number of bytes | address, or 0 when there is no memory |
//! | 1 free | address from `allocate` | 0 |
//! | 2 catalog | block | status; address, length of a JSON text, its fingerprint |
//! | 3 create | block: index, address and count of parameters (f64) | status; handle |
//! | 4 run | block: handle, bars, addresses of the input columns, then of the output columns | status |
//! | 5 drop | block: handle | status |
//! | 6 save | block: handle | status; address, length of the saved state |
//! | 7 restore | block: address, length of a saved state | status; handle |
//! | 8 copy | block: handle | status; handle of an independent machine in the same state |
//! | 9 reset | block: handle | status |
//! | 10 bars | block: handle | status; low and high half of the number of bars taken |
//! | 11 compute | block: index, address and count of parameters, bars, addresses as for run | status |
//!
//! A status of 0 is success. Any other is a [`Status`], and the block then holds address and length
//! of a message in UTF-8. Whatever an answer points to stays valid until the next call.

use core::cell::RefCell;
use indicator_core::{Error, Machine, registry, spec};
use std::alloc::Layout;

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// A parameter is out of its range.
    Parameter = 1,
    /// A wrong number of columns or parameters, or columns of different lengths.
    Shape = 2,
    /// Not enough memory.
    Memory = 3,
    /// Not a saved state.
    State = 4,
    /// No such operation, indicator or handle.
    Unknown = 5,
}

/// Words in an argument block: handle, bars and every column fit.
pub const WORDS: usize = 16;

/// Bytes before an allocation that hold its size.
const HEADER: usize = 16;

/// What outlives a call.
#[derive(Default)]
struct Module {
    machines: Vec<Option<Box<dyn Machine>>>,
    /// What the last answer points to.
    answer: Vec<u8>,
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
}

/// The only entry. See the crate's documentation for the operations.
#[must_use]
#[cfg_attr(not(feature = "js"), unsafe(no_mangle))]
pub extern "C" fn call(operation: u32, argument: usize) -> usize {
    match operation {
        0 => allocate(argument),
        1 => free(argument),
        _ => {
            // SAFETY: the host passes the address of a block of `WORDS` words that it got from
            // `allocate` and that nothing else refers to during the call. A host that lies can only
            // harm this module's own memory.
            let block = unsafe { &mut *(argument as *mut [usize; WORDS]) };
            MODULE.with_borrow_mut(|module| match module.operate(operation, block) {
                Ok(()) => 0,
                Err((status, message)) => {
                    module.answer(block, message.into_bytes());
                    status as usize
                }
            })
        }
    }
}

type Failure = (Status, String);

impl Module {
    fn operate(&mut self, operation: u32, block: &mut [usize; WORDS]) -> Result<(), Failure> {
        match operation {
            2 => {
                self.answer(block, registry::to_json().into_bytes());
                block[2] = registry::fingerprint() as usize;
                Ok(())
            }
            3 => {
                block[0] = self.keep(create(block)?);
                Ok(())
            }
            4 => {
                let [handle, bars, addresses @ ..] = block;
                run(self.machine(*handle)?, *bars, addresses)
            }
            5 => self
                .machines
                .get_mut(block[0])
                .and_then(Option::take)
                .map(drop)
                .ok_or_else(|| unknown("handle")),
            6 => {
                let state = self.machine(block[0])?.save();
                self.answer(block, state);
                Ok(())
            }
            7 => {
                let [address, len, ..] = *block;
                // SAFETY: address and length of bytes that the host wrote before the call.
                let state = unsafe { core::slice::from_raw_parts(address as *const u8, len) };
                let machine = registry::restore(state).map_err(|error| failure(&error))?;
                block[0] = self.keep(machine);
                Ok(())
            }
            8 => {
                // Not by cloning, which traps when memory is short.
                let state = self.machine(block[0])?.save();
                let copy = registry::restore(&state).map_err(|error| failure(&error))?;
                block[0] = self.keep(copy);
                Ok(())
            }
            9 => {
                self.machine(block[0])?.reset();
                Ok(())
            }
            10 => {
                let bars = self.machine(block[0])?.bars();
                block[0] = (bars & 0xffff_ffff) as usize;
                block[1] = (bars >> 32) as usize;
                Ok(())
            }
            11 => {
                let mut machine = create(block)?;
                let [_, _, _, bars, addresses @ ..] = block;
                run(machine.as_mut(), *bars, addresses)
            }
            _ => Err(unknown("operation")),
        }
    }

    fn keep(&mut self, machine: Box<dyn Machine>) -> usize {
        if let Some(free) = self.machines.iter().position(Option::is_none) {
            self.machines[free] = Some(machine);
            free
        } else {
            self.machines.push(Some(machine));
            self.machines.len() - 1
        }
    }

    fn machine(&mut self, handle: usize) -> Result<&mut dyn Machine, Failure> {
        match self.machines.get_mut(handle) {
            Some(Some(machine)) => Ok(machine.as_mut()),
            _ => Err(unknown("handle")),
        }
    }

    fn answer(&mut self, block: &mut [usize; WORDS], bytes: Vec<u8>) {
        self.answer = bytes;
        block[0] = self.answer.as_ptr() as usize;
        block[1] = self.answer.len();
    }
}

/// The indicator that a block begins with.
fn create(block: &[usize; WORDS]) -> Result<Box<dyn Machine>, Failure> {
    let [index, params, count, ..] = *block;
    let entry = registry::entries()
        .get(index)
        .ok_or_else(|| unknown("indicator"))?;
    // SAFETY: address and count of parameters that the host wrote before the call.
    let params = unsafe { column(params, count) };
    entry.create(params).map_err(|error| failure(&error))
}

fn run(machine: &mut dyn Machine, bars: usize, addresses: &[usize]) -> Result<(), Failure> {
    let (inputs, outputs) = (machine.spec().inputs.len(), machine.spec().outputs.len());
    let mut columns: [&[f64]; spec::MAX_INPUTS] = [&[]; spec::MAX_INPUTS];
    for (column_slot, &address) in columns.iter_mut().zip(&addresses[..inputs]) {
        // SAFETY: the host wrote `bars` values there and does not run during the call.
        *column_slot = unsafe { column(address, bars) };
    }
    let mut results: [&mut [f64]; spec::MAX_OUTPUTS] = Default::default();
    for (result, &address) in results.iter_mut().zip(&addresses[inputs..inputs + outputs]) {
        // SAFETY: as above; each output is an allocation of its own, apart from the inputs.
        *result = unsafe { core::slice::from_raw_parts_mut(address as *mut f64, bars) };
    }
    machine
        .run(&columns[..inputs], &mut results[..outputs])
        .map_err(|error| failure(&error))
}

/// A column in linear memory.
///
/// # Safety
/// `len` numbers stand at `address`, eight-byte aligned, and nobody writes to them meanwhile.
unsafe fn column<'a>(address: usize, len: usize) -> &'a [f64] {
    // SAFETY: promised by the caller.
    unsafe { core::slice::from_raw_parts(address as *const f64, len) }
}

fn unknown(what: &str) -> Failure {
    (Status::Unknown, format!("no such {what}"))
}

fn failure(error: &Error) -> Failure {
    let status = match error {
        Error::Parameter { .. } => Status::Parameter,
        Error::Memory => Status::Memory,
        Error::State(_) => Status::State,
        _ => Status::Shape,
    };
    (status, error.to_string())
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(HEADER)?, HEADER).ok()
}

fn allocate(bytes: usize) -> usize {
    let Some(layout) = layout(bytes) else {
        return 0;
    };
    // SAFETY: the layout is never empty, because of the header.
    let start = unsafe { std::alloc::alloc(layout) };
    if start.is_null() {
        return 0;
    }
    // SAFETY: the header has room for a word.
    unsafe { start.cast::<usize>().write_unaligned(bytes) };
    start as usize + HEADER
}

fn free(address: usize) -> usize {
    let start = (address - HEADER) as *mut u8;
    // SAFETY: the host passes an address from `allocate`, once; its size stands in the header.
    let bytes = unsafe { start.cast::<usize>().read_unaligned() };
    if let Some(layout) = layout(bytes) {
        // SAFETY: the layout with which it was allocated.
        unsafe { std::alloc::dealloc(start, layout) };
    }
    0
}

/// Built with this feature, the crate is another module, without [`call`]: that of the JavaScript package.
#[cfg(feature = "js")]
pub mod js;
