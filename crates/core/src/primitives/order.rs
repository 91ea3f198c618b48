//! In which order the bars of a column stand.
//!
//! A recurrence runs along the bars, vector registers do too, and the two do not go together. So
//! full tiles are handed to a kernel in *stripes*: a tile is cut into [`LANES`] stretches of
//! [`ROWS`] bars, and the k-th bars of all stretches stand side by side, as row `k`. What looks at
//! one bar at a time does not notice. What runs along the bars goes down the rows, all lanes
//! abreast. Columns are turned once on the way in and once on the way out, however many averages
//! a kernel has.
//!
//! This is about where bars stand in memory while they are computed; results cannot depend on it.

/// Bars of a stretch, which are consecutive in time.
pub const ROWS: usize = 16;

/// Stretches of a tile, side by side.
pub const LANES: usize = 32;

/// Bars of a tile.
pub const TILE: usize = ROWS * LANES;

/// Where the bars of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One after the other.
    Bars,
    /// Bar `ROWS * b + k` of a tile at `LANES * k + b`. The tile begins at a bar whose number is a
    /// multiple of [`ROWS`], and not with the first one.
    Stripes,
}

impl Order {
    /// Where a bar stands, counted from the first of the run.
    #[inline(always)]
    pub(crate) fn place(self, bar: usize) -> usize {
        match self {
            Self::Bars => bar,
            Self::Stripes => bar % ROWS * LANES + bar / ROWS,
        }
    }
}

/// Scratch for a tile. It begins where a line of the cache does: a register that crosses the end of
/// one costs twice.
#[repr(align(64))]
pub(crate) struct Tile(pub(crate) [f64; TILE]);

impl Tile {
    #[inline(always)]
    pub(crate) const fn zero() -> Self {
        Self([0.0; TILE])
    }
}

/// From bars to stripes.
#[inline(always)]
pub(crate) fn stripe(x: &[f64; TILE], out: &mut [f64; TILE]) {
    turn::<ROWS, LANES>(x, out);
}

/// From stripes to bars.
#[inline(always)]
pub(crate) fn unstripe(x: &[f64; TILE], out: &mut [f64; TILE]) {
    turn::<LANES, ROWS>(x, out);
}

/// Transposes a matrix of `R` rows with `C` values, in squares, which keeps the strides of reads and
/// of writes short.
#[inline(always)]
fn turn<const C: usize, const R: usize>(x: &[f64; TILE], out: &mut [f64; TILE]) {
    const SIDE: usize = 4;
    for row in (0..R).step_by(SIDE) {
        for column in (0..C).step_by(SIDE) {
            let mut square = [[0.0; SIDE]; SIDE];
            for i in 0..SIDE {
                for j in 0..SIDE {
                    square[j][i] = x[(row + i) * C + column + j];
                }
            }
            for (j, square) in square.iter().enumerate() {
                out[(column + j) * R + row..][..SIDE].copy_from_slice(square);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_stand_where_the_order_says() {
        let x = core::array::from_fn(|bar| bar as f64);
        let (mut striped, mut back) = ([0.0; TILE], [0.0; TILE]);
        stripe(&x, &mut striped);
        for bar in 0..TILE {
            assert_eq!(striped[Order::Stripes.place(bar)], bar as f64);
        }
        unstripe(&striped, &mut back);
        assert_eq!(back, x);
    }
}
