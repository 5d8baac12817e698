//! Long texts, 64 bytes at once: most of the grammar of JSON says which kind of character may follow which, and with one bit for each byte of a block that is
//! found out for all of them in a few instructions.
//!
//! ```text
//! bytes     {"id":[10,true],"a":"x,y"}
//! quotes    .1..1...........1.1.1...1.
//! strings   .111............11..1111..    from an opening quote up to the closing one, which is not in it
//! scalars   .......11.1111............    numbers, `true`, `false`, `null`
//! objects   111111........11111111111.    what innermost object or array they are in
//! key ends  ....1.............1.......    the quotes that close keys
//! ```
//!
//! It gives up on white space outside of strings, which `JSON.stringify` does not write.

use wide::{CmpEq, u8x32};

use super::{escape_end, fraction_end};

/// As many bytes as a word has bits. The lowest bit is the first byte's.
const BLOCK: usize = 64;
/// Texts that are no longer are done sooner byte by byte.
pub(super) const LONG: usize = BLOCK + BLOCK / 2;

/// Whether the text is an array or an object, as `JSON.stringify` writes them. False for one that is nested 64 levels deep or more, too.
// What it puts on the stack shall not be a burden to short texts.
#[inline(never)]
pub(super) fn is_compact_json(text: &str) -> bool {
    let mut check = Check::new(text.as_bytes());
    let mut rest = check.text;
    if !matches!(rest, [b'[' | b'{', ..]) {
        return false;
    }
    let mut last = [b' '; BLOCK];
    while !rest.is_empty() {
        let (block, behind, part) = match rest.split_first_chunk() {
            Some((block, behind)) => (block, behind, !0),
            None => {
                last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
                (&last, &[][..], !(!0 << rest.len()))
            }
        };
        if check.handle(block, part).is_none() {
            return false;
        }
        check.start += BLOCK;
        rest = behind;
    }
    check.nesting == OUTSIDE
}

/// What is known of the blocks so far. The words of which nothing else is said have one bit, the lowest: that of the next block's first byte.
struct Check<'a> {
    text: &'a [u8],
    /// Where the block starts.
    start: usize,
    /// Whether the byte belongs to an escape.
    escaped: u64,
    /// All bits, or none.
    in_string: u64,
    in_key: u64,
    in_scalar: u64,
    /// Where the last number or literal ends that was followed into another block.
    scalar_end: usize,
    /// Behind a zero at the start of a number.
    behind_zero: u64,
    /// Behind an opening bracket.
    behind_open: u64,
    /// Where a value or a key is due.
    due: u64,
    key_due: u64,
    colon_due: u64,
    /// Where a comma or a closing bracket is due.
    end_due: u64,
    /// A bit for each level, 1 for objects; the innermost is the lowest. Above them is [`OUTSIDE`].
    nesting: u64,
}

const OUTSIDE: u64 = 1;

impl<'a> Check<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            escaped: 0,
            in_string: 0,
            in_key: 0,
            in_scalar: 0,
            scalar_end: 0,
            behind_zero: 0,
            behind_open: 0,
            due: 1,
            key_due: 0,
            colon_due: 0,
            end_due: 0,
            nesting: OUTSIDE,
        }
    }

    /// `None` when something is wrong with the block, of which `part` belongs to the text.
    #[inline(always)]
    fn handle(&mut self, block: &[u8; BLOCK], part: u64) -> Option<()> {
        let bytes = Bytes::new(block)?;
        let mut quotes = bytes.equal(b'"').mask() & !self.escaped;
        if bytes.any_control_or_backslash() {
            quotes = self.without_escaped(quotes, bytes.equal(b'\\').mask())?;
            if bytes.control().mask() != 0 {
                return None;
            }
        } else {
            self.escaped = 0;
        }
        if quotes == 0 && self.in_string != 0 {
            return Some(());
        }
        let strings = up_to_every_second(quotes) ^ self.in_string;
        self.in_string = (strings >> (BLOCK - 1)).wrapping_neg();
        let string_starts = quotes & strings;
        let string_ends = quotes & !strings;

        let brackets = bytes.map(|bytes| bytes | u8x32::splat(b'{' ^ b'['));
        let open = brackets.equal(b'{').mask() & !strings;
        let close = brackets.equal(b'}').mask() & !strings;
        let comma = bytes.equal(b',').mask() & !strings;
        let colon = bytes.equal(b':').mask() & !strings;
        let objects = self.nest(open | close, block)?;

        let scalars = !(strings | string_ends | open | close | comma | colon) & part;
        let behind_scalar = behind(scalars, &mut self.in_scalar);
        let scalar_starts = scalars & !behind_scalar;
        let mut wrong = 0;
        if scalars != 0 {
            let values = bytes.map(|bytes| bytes ^ u8x32::splat(b'0'));
            // Up to 9 this leaves the highest bit alone, which is what is looked at.
            let others = values.map(|values| values.saturating_add(u8x32::splat(0x7f - 9)));
            let others = others.mask() & scalars;
            let zero_starts = values.equal(0).mask() & scalar_starts;
            wrong |= behind(zero_starts, &mut self.behind_zero) & scalars & !others;
            self.read_scalars(others, scalars, scalar_starts)?;
        } else {
            self.behind_zero = 0;
        }

        let value_starts = string_starts | scalar_starts | open;
        let close_empty = close & behind(open, &mut self.behind_open);
        wrong |= behind(colon | comma | open, &mut self.due) ^ (value_starts | close_empty);
        let key_due = behind((comma | open) & objects, &mut self.key_due);
        wrong |= key_due & !(string_starts | close);
        // The sum carries each start of a key through its string.
        let (sum, carried) = strings.overflowing_add(key_due & string_starts | self.in_key);
        self.in_key = u64::from(carried);
        let key_ends = sum & !strings;
        wrong |= behind(key_ends, &mut self.colon_due) ^ colon;
        let end_due = behind(string_ends & !key_ends | close, &mut self.end_due);
        wrong |= (end_due | behind_scalar & !scalars) ^ (comma | close & !close_empty);
        (wrong & part == 0).then_some(())
    }

    /// Checks what the backslashes escape. Of the quotes, those remain that they do not.
    fn without_escaped(&mut self, mut quotes: u64, backslashes: u64) -> Option<u64> {
        let mut backslashes = backslashes & !self.escaped;
        self.escaped = 0;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros() as usize;
            escape_end(self.text.get(self.start + at + 1..)?)?;
            let backslash = lowest(backslashes);
            let escaped = backslash << 1;
            if escaped == 0 {
                self.escaped = 1;
            }
            quotes &= !escaped;
            backslashes &= !(backslash | escaped);
        }
        Some(quotes)
    }

    /// Which of the bytes are in an object, from its opening bracket on, rather than in an array. Each bracket has to match.
    #[inline(always)]
    fn nest(&mut self, mut brackets: u64, block: &[u8; BLOCK]) -> Option<u64> {
        let mut nesting = self.nesting;
        let mut objects = (nesting & 1).wrapping_neg();
        let (mut deepest, mut mismatch) = (0, 0);
        while brackets != 0 {
            let at = brackets.trailing_zeros() as usize;
            brackets ^= lowest(brackets);
            let outer = nesting;
            // In ASCII, bit 5 tells braces from brackets, and bit 1 opening from closing ones.
            let bracket = *block.get(at)?;
            let object = u64::from(bracket >> 5);
            if bracket & 2 != 0 {
                deepest |= nesting;
                nesting = nesting << 1 | object & 1;
            } else {
                mismatch |= nesting ^ object;
                nesting >>= 1;
                if nesting <= OUTSIDE && self.start + at + 1 != self.text.len() {
                    return None;
                }
            }
            objects ^= ((nesting ^ outer) & 1).wrapping_neg() << at;
        }
        self.nesting = nesting;
        (deepest >> (BLOCK - 1) == 0 && mismatch & 1 == 0).then_some(objects)
    }

    /// Checks numbers and literals, given those of their bytes that are no digits.
    #[inline(always)]
    fn read_scalars(&mut self, mut others: u64, scalars: u64, starts: u64) -> Option<()> {
        if self.scalar_end > self.start {
            others &= from(self.scalar_end - self.start);
        }
        while others != 0 {
            let at = self.start + others.trailing_zeros() as usize;
            let other = lowest(others);
            let is_start = starts & other != 0;
            let rest = match self.text.get(at..)? {
                [b't', b'r', b'u', b'e', rest @ ..]
                | [b'n', b'u', b'l', b'l', rest @ ..]
                | [b'f', b'a', b'l', b's', b'e', rest @ ..]
                    if is_start =>
                {
                    rest
                }
                [b'-', b'0', b'0'..=b'9', ..] => return None,
                [b'-', b'0'..=b'9', ..] if is_start => {
                    others ^= other;
                    continue;
                }
                fraction @ [b'.' | b'e' | b'E', ..]
                    if self.text.get(at.checked_sub(1)?)?.is_ascii_digit() =>
                {
                    let above = !(other | (other - 1));
                    let end = lowest(above & (others | !scalars)) & !scalars;
                    if end & !(other << 1) != 0 {
                        // Nothing but digits up to the end of the number.
                        others ^= other;
                        continue;
                    }
                    fraction_end(fraction)?
                }
                _ => return None,
            };
            if !matches!(rest, [b',' | b']' | b'}', ..]) {
                return None;
            }
            self.scalar_end = self.text.len() - rest.len();
            others &= from(self.scalar_end - self.start);
        }
        Some(())
    }
}

/// The bytes that follow those; what the last block carried comes in, and what the next one has to know goes out.
#[inline(always)]
fn behind(bits: u64, carry: &mut u64) -> u64 {
    let moved = bits << 1 | *carry;
    *carry = bits >> (BLOCK - 1);
    moved
}

/// The lowest of the bits.
#[inline(always)]
fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

/// All bits from this one on.
#[inline(always)]
fn from(at: usize) -> u64 {
    if at < BLOCK { !0 << at } else { 0 }
}

/// From each bit of odd rank up to the next one, which is not in it.
#[inline(always)]
fn up_to_every_second(mut bits: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << distance;
    }
    bits
}

/// The bytes of a block, or what was made of each.
#[derive(Clone, Copy)]
struct Bytes([u8x32; 2]);

impl Bytes {
    #[inline(always)]
    fn new(block: &[u8; BLOCK]) -> Option<Self> {
        let (low, high) = (block.first_chunk()?, block.last_chunk()?);
        Some(Self([u8x32::new(*low), u8x32::new(*high)]))
    }

    #[inline(always)]
    fn map(self, change: impl Fn(u8x32) -> u8x32) -> Self {
        Self(self.0.map(change))
    }

    /// All bits of those that are this byte.
    #[inline(always)]
    fn equal(self, byte: u8) -> Self {
        self.map(|bytes| bytes.cmp_eq(u8x32::splat(byte)))
    }

    /// All bits of the control characters.
    #[inline(always)]
    fn control(self) -> Self {
        self.map(|bytes| bytes.cmp_eq(bytes.min(u8x32::splat(0x1f))))
    }

    #[inline(always)]
    fn any_control_or_backslash(self) -> bool {
        let [low, high] = self.equal(b'\\').0;
        let least = self.0[0].min(self.0[1]);
        let control = least.cmp_eq(least.min(u8x32::splat(0x1f)));
        (control | low | high).move_mask() != 0
    }

    /// The highest bit of each.
    #[inline(always)]
    fn mask(self) -> u64 {
        let [low, high] = self.0.map(|bytes| bytes.move_mask() as u32);
        u64::from(low) | u64::from(high) << 32
    }
}
