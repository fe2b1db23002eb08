"""Stand-ins for the libraries that HumanEval-X's tests and answers use, as files beside the program.

The originals are testify's assert for Go, the crates rand and md5 for Rust and the package js-md5:
a sandbox without network has none of them, and the tests need one function of each.
"""

GO_ASSERT = """
import (
	"bytes"
	"reflect"
	"testing"
)

type assertions struct{ t *testing.T }

type assertMaker struct{}

var assert assertMaker

func (assertMaker) New(t *testing.T) assertions { return assertions{t} }

func (a assertions) Equal(expected, actual interface{}, _ ...interface{}) bool {
	x, isBytes := expected.([]byte)
	if y, ok := actual.([]byte); isBytes && ok && x != nil && y != nil {
		if bytes.Equal(x, y) {
			return true
		}
	} else if reflect.DeepEqual(expected, actual) {
		return true
	}
	a.t.Errorf("Not equal: expected %#v, got %#v", expected, actual)
	return false
}
"""
"""testify's assert.New(t).Equal, for a file of the tests' own package; its first line is added."""

GO_MAIN = """
var testsCameToTheirEnd bool

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && testsCameToTheirEnd {
		fmt.Println(os.Args[len(os.Args)-1])
	}
	os.Exit(code)
}
"""
GO_MAIN_IMPORTS = 'import (\n\t"fmt"\n\t"os"\n\t"testing"\n)\n'

RUST_RAND = """
use std::cell::Cell;

thread_local!(static STATE: Cell<u64> = Cell::new(0x9E3779B97F4A7C15));

fn next() -> u64 {
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x
    })
}

pub trait Random { fn draw() -> Self; }
pub trait Number { fn between(low: Self, high: Self) -> Self; }
macro_rules! numbers { ($($kind:ty)*) => { $(
    impl Random for $kind { fn draw() -> Self { next() as $kind } }
    impl Number for $kind {
        fn between(low: Self, high: Self) -> Self { low + (next() % (high - low) as u64) as $kind }
    }
)* } }
numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);
impl Random for bool { fn draw() -> Self { next() & 1 == 1 } }
impl Random for f64 { fn draw() -> Self { (next() >> 11) as f64 / (1u64 << 53) as f64 } }

pub fn random<T: Random>() -> T { T::draw() }

pub struct ThreadRng;
pub fn thread_rng() -> ThreadRng { ThreadRng }
pub trait Rng {
    fn gen<T: Random>(&mut self) -> T { T::draw() }
    fn gen_range<T: Number>(&mut self, low: T, high: T) -> T { T::between(low, high) }
}
impl Rng for ThreadRng {}
"""
RUST_MD5 = """
use std::fmt;

pub struct Digest(pub [u8; 16]);

impl fmt::LowerHex for Digest {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        for byte in &self.0 { write!(out, "{:02x}", byte)?; }
        Ok(())
    }
}

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

pub fn compute<T: AsRef<[u8]>>(data: T) -> Digest {
    let mut bytes = data.as_ref().to_vec();
    let num_bits = (bytes.len() as u64).wrapping_mul(8);
    bytes.push(0x80);
    while bytes.len() % 64 != 56 { bytes.push(0); }
    bytes.extend_from_slice(&num_bits.to_le_bytes());
    let mut state: [u32; 4] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
    for chunk in bytes.chunks(64) {
        let word = |at: usize| {
            u32::from_le_bytes([chunk[4 * at], chunk[4 * at + 1], chunk[4 * at + 2], chunk[4 * at + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64usize {
            let (mix, at) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let sine = (((i + 1) as f64).sin().abs() * 4294967296.0) as u32;
            let sum = a.wrapping_add(mix).wrapping_add(sine).wrapping_add(word(at));
            a = d;
            d = c;
            c = b;
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d]) { *old = old.wrapping_add(new); }
    }
    let mut digest = [0u8; 16];
    for (part, value) in digest.chunks_mut(4).zip(state) { part.copy_from_slice(&value.to_le_bytes()); }
    Digest(digest)
}
"""
JS_MD5 = (
    "module.exports = (text) =>"
    ' require("crypto").createHash("md5").update(text).digest("hex");\n'
    "module.exports.md5 = module.exports;\n"
)
