// Where our codecs differ from the official packages, and why.

import { isUtf8 } from 'node:buffer';

const text = ({ parts }) => Buffer.from(parts[0]).toString('utf8');

/** In base64 there are no other characters; both skip most of them. */
function base64(example) {
  return {
    why: 'in base64, characters beyond U+00FF are taken for those of their lower byte, such as the padding; ours skips them',
    example,
    when: ({ input }) => /(?:^|\x1e)b[^\x1e]*[^\0-\xff]/.test(text(input)),
  };
}

/**
 * By the kind of input: what the official packages do, and we instead. A difference is fine where a row tells of it, given what was decoded, `official` and
 * `ours`. The example shows it, so that a row without a difference is noticed.
 */
export const KNOWN = {
  'payload3-text': [
    {
      why: 'a length is whatever Number() takes for one: " 5", "+1", "0x1", "1e0"; ours is digits',
      example: [' 1:4'],
      when: ({ ours, input }) => ours.at(-1) === null && fault(text(input)) === 'length',
    },
    {
      why: 'an item may end within a surrogate pair, which leaves half of a character',
      example: ['2:4😀'],
      when: ({ ours, input }) => ours.at(-1) === null && fault(text(input)) === 'character',
    },
  ],
  'payload3-binary': [
    {
      why: 'an item that is cut short, or whose length is not made of digits, is taken for what there is; ours ends the payload there',
      example: [Buffer.from([1, 5, 0xff, 4, 1])],
      when: ({ input, ours }) => ours.at(-1) === null && !items(input.parts[0]).whole,
    },
    {
      why: 'text that is no UTF-8 is refused; ours has U+FFFD in its place, as in other payloads',
      example: [Buffer.from([0, 2, 0xff, 0x34, 0xe9])],
      when: ({ input, official }) => official.at(-1) === null && items(input.parts[0]).texts.some((item) => !isUtf8(item)),
    },
  ],
  json: [
    {
      why: 'no text at all, or white space in the place of the type, is a connect packet, since Number(" ") is 0',
      example: [''],
      when: ({ input, official }) => official[0]?.type === 0 && /^(?:\s|$)/.test(text(input)),
    },
    {
      why: 'a connect error may have no data, which no server sends and their client throws at',
      example: ['4/adm,'],
      when: ({ official, ours }) => official[0]?.type === 4 && official[0].data.length === 0 && ours[0] === null,
    },
    {
      why: 'an id has any number of digits and is rounded; ours has 64 bits',
      example: ['218446744073709551616["e"]'],
      when: ({ input, ours }) => ours.at(-1) === null && /^(?:[56]\d+-|[0-4])(?:\/[^,]*,)?\d{20,}/.test(text(input)),
    },
    {
      why: 'white space is an id, 0, or part of one, which makes it NaN; ours is digits',
      example: ['2 ["e"]'],
      when: ({ input }) => /^(?:[56]\d+-|[0-4])(?:\/[^,]*,)?\d*\s/.test(text(input)),
    },
    {
      why: 'a number of attachments is whatever Number() takes for one: "1.", " 1", "1e0"; ours is digits',
      example: ['51.-["e"]', Buffer.from([1])],
      when: ({ input, ours }) => ours[0] === null && /^[56][^-]*-/.test(text(input)) && !/^[56]\d+-/.test(text(input)),
    },
    {
      why: 'the arguments of a packet with attachments are read, and refused, before the attachments arrive; ours after that',
      example: ['51-["e",x]'],
      when: ({ official, ours }) => official[0] === null && ours.length === 0,
    },
    {
      why: 'an object is a placeholder wherever its key _placeholder stands; ours is one if nothing but num comes before that key',
      example: ['51-["e",{"a":1,"_placeholder":true,"num":0}]', Buffer.from([1])],
      when: ({ input }) => input.parts.length > 1 && /,\s*"_placeholder"\s*:\s*true/.test(text(input)),
    },
    {
      why: 'JSON of any depth is read; ours has 128 levels, beyond which it can only be passed on',
      example: [`2["e",${'['.repeat(130)}${']'.repeat(130)}]`],
      when: ({ input }) => /[[{]{128}/.test(text(input)),
    },
  ],
  'packet4-text': [base64(['bAum😀/'])],
  'packet3-text': [base64(['b4Aum😀/'])],
  payload4: [base64(['4a\x1ebAum😀/'])],
  msgpack: [
    {
      why: 'keys of maps may be maps, lists, dates and binary, which become strings such as "[object Object]"',
      example: [Buffer.from('\x83\xa4type\x02\xa4data\x92\xa1e\x81\x80\x01\xa3nsp\xa1/', 'latin1')],
      when: ({ input, ours }) => ours[0] === null && hasOddKey(input.parts[0]),
    },
    {
      why: 'an id may be negative, which no client makes',
      example: [Buffer.from('\x84\xa4type\x02\xa4data\x91\xa1e\xa2id\xff\xa3nsp\xa1/', 'latin1')],
      when: ({ official, ours }) => ours[0] === null && official[0]?.id?.n >= '8',
    },
  ],
};

/** What is wrong with the first item of a text payload of revision 3 that is not as it should be. */
function fault(body) {
  for (let rest = body; rest !== ''; ) {
    const colon = rest.indexOf(':');
    if (!/^\d+:/.test(rest)) return 'length';
    const end = colon + 1 + Number(rest.slice(0, colon));
    if (end > rest.length) return 'end';
    if (!rest.slice(0, end).isWellFormed()) return 'character';
    rest = rest.slice(end);
  }
  return null;
}

/** The text among the items of a binary payload of revision 3, and whether each item has its length in digits, and so many bytes. */
function items(body) {
  const texts = [];
  let rest = Buffer.from(body);
  while (rest.length > 0) {
    const end = rest.indexOf(0xff, 1);
    const digits = end < 0 ? null : [...rest.subarray(1, end)];
    const next = end + 1 + Number(digits?.join(''));
    if (!digits?.length || digits.some((digit) => digit > 9) || rest.length < next) return { texts, whole: false };
    if (rest[0] === 0) texts.push(rest.subarray(end + 1, next));
    rest = rest.subarray(next);
  }
  return { texts, whole: true };
}

/** Whether a key in MessagePack is anything but a string, a number, a truth value, nil or undefined. */
function hasOddKey(message) {
  const bytes = Buffer.from(message);
  let at = 0;
  let odd = false;
  const length = (size) => bytes.readUIntBE((at += size) - size, size);
  const skip = (size) => (at += size);
  /** Steps over a value, and tells whether it would be odd as a key. */
  const value = () => {
    const first = length(1);
    if (first < 0x80 || first >= 0xe0 || first === 0xc0 || first === 0xc2 || first === 0xc3) return false;
    if (first < 0x90) return map(first & 15);
    if (first < 0xa0) return list(first & 15);
    if (first < 0xc0) return skip(first & 31) < 0;
    if (first >= 0xc4 && first <= 0xc6) return skip(length(1 << (first - 0xc4))) > 0;
    if (first >= 0xc7 && first <= 0xc9) return skip(length(1 << (first - 0xc7)) + 1) > 0;
    if (first === 0xca || first === 0xcb) return skip(first === 0xca ? 4 : 8) < 0;
    if (first >= 0xcc && first <= 0xd3) return skip(1 << ((first - 0xcc) & 3)) < 0;
    if (first >= 0xd4 && first <= 0xd8) return skip(1 + (1 << (first - 0xd4))) > 0 && !(first === 0xd4 && bytes[at - 2] === 0);
    if (first >= 0xd9 && first <= 0xdb) return skip(length(1 << (first - 0xd9))) < 0;
    return first <= 0xdd ? list(length(first === 0xdc ? 2 : 4)) : map(length(first === 0xde ? 2 : 4));
  };
  const list = (count) => {
    while (count-- > 0) value();
    return true;
  };
  const map = (count) => {
    for (; count > 0; count--) {
      odd = value() || odd;
      value();
    }
    return true;
  };
  try {
    value();
  } catch {
    return false;
  }
  return odd;
}
