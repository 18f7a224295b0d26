/*
 * Checks JSON as strictly as `JSON.parse` does, and notes where the parts of a Messages body stand. AssemblyScript;
 * `scanner.wasm` is what `bun run scanner` makes of it.
 *
 * A text comes in pieces of any size up to CHUNK. What one piece cannot decide (a short string, a literal or an
 * escape that goes on behind its end) is left over and comes again at the beginning of the next one, so `feed`
 * answers how many bytes it has dealt with. Nothing grows with the text.
 */

/** Longest piece of a text, in bytes. */
const CHUNK: i32 = 65536;
/** Longest string that is taken for a name, quotes and escapes included; unfinished shorter ones are left over. */
const NAME: i32 = 128;
const DEPTH_MAX: i32 = 256;
/** Texts that are noted before the caller must take them away. */
const TEXTS: i32 = 256;
/** Blocks of 16 bytes are read up to here beyond the end of a piece. */
const MARGIN: i32 = 16;

/** Longer than it need be: what is read and what is written should not stand at the same place of their pages. */
const INPUT: usize = memory.data(CHUNK + MARGIN + 2032);
const OUTPUT: usize = memory.data(CHUNK + MARGIN);
/** For every level: what the container is. */
const LEVELS: usize = memory.data(DEPTH_MAX + 2);
/** Start, end and mark of every text; a block that is marked and holds no text is noted with a start of -1. */
const NOTED: usize = memory.data(TEXTS * 12, 4);
/** What is found; `scanner.ts` knows the places. */
const FOUND: usize = memory.data(256, 4);
/** What a byte means behind a backslash: 0 for nothing, else the byte it stands for. */
const ESCAPES: usize = memory.data(256);

/** What `feed` answers instead of a count. */
const INVALID: i32 = -1;
const TOO_DEEP: i32 = -2;

/** What may come next. */
const VALUE: i32 = 0;
const VALUE_OR_CLOSE: i32 = 1;
const KEY: i32 = 2;
const KEY_OR_CLOSE: i32 = 3;
const COLON: i32 = 4;
const AFTER: i32 = 5;
const IN_STRING: i32 = 6;
const IN_NUMBER: i32 = 7;

/** What a container is; what is of no interest is OTHER. */
const OTHER: u32 = 0;
const OUTSIDE: u32 = 1;
const ROOT: u32 = 2;
const MESSAGES: u32 = 3;
const MESSAGE: u32 = 4;
const CONTENT: u32 = 5;
const BLOCK: u32 = 6;
const MARK: u32 = 7;
/** Added to what a container is when it is an array. */
const ARRAY: u32 = 0x80;

/** Keys of interest. Those of the root are also the places of their values in FOUND. */
const NONE: i32 = -1;
const KEY_MESSAGES: i32 = 7;
const KEY_ROLE: i32 = 8;
const KEY_CONTENT: i32 = 9;
const KEY_TYPE: i32 = 10;
const KEY_TEXT: i32 = 11;
const KEY_CACHE_CONTROL: i32 = 12;

const USER: i32 = 1;
const ASSISTANT: i32 = 2;

const NO_TYPE: i32 = 0;
const TEXT_TYPE: i32 = 1;
const TOOL_RESULT_TYPE: i32 = 2;
const OTHER_TYPE: i32 = 3;

/** Parts of a number. */
const SIGN: i32 = 0;
const ZERO: i32 = 1;
const WHOLE: i32 = 2;
const POINT: i32 = 3;
const FRACTION: i32 = 4;
const EXPONENT: i32 = 5;
const EXPONENT_SIGN: i32 = 6;
const POWER: i32 = 7;

/** Places in FOUND, in words of 32 bits, behind the ranges of the root's eight fields. */
const IS_OBJECT: i32 = 16;
const COUNT: i32 = 17;
/** The messages that are looked at, each as five words: start, end, role, and the range of a content that is a string. */
const LAST: i32 = 18;
const FIRST_USER: i32 = 23;
const LAST_USER: i32 = 28;
const FIRST_ASSISTANT: i32 = 33;
const FIRST_MARKED: i32 = 38;
const MESSAGES_END: i32 = 43;
const LAST_IS_TOOL_RESULT: i32 = 43;
const NOTED_COUNT: i32 = 44;
/** The texts that were taken away do not count: their content was followed by another one. */
const NOTED_ANEW: i32 = 45;
const IS_COMPLETE: i32 = 46;
/** Of `unescape`: bytes in OUTPUT, and whether half of a surrogate pair has come without the other. */
const WRITTEN: i32 = 47;
const HAS_LONE_SURROGATE: i32 = 48;

let state: i32 = 0;
let depth: i32 = 0;
/** The present container. */
let level: u32 = 0;
/** The key whose value comes next, when it is of interest. */
let key: i32 = NONE;
/** Where the first byte of the present piece stands in the text, less its address. */
let origin: i32 = 0;
let stringIsKey: bool = false;
let stringStart: i32 = 0;
let numberPart: i32 = 0;
let notesTexts: bool = false;

let rootKey: i32 = NONE;
let rootStart: i32 = 0;
let elementStart: i32 = 0;
let role: i32 = 0;
let isToolResult: bool = false;
let isMarked: bool = false;
let blockType: i32 = 0;
let blockIsMarked: bool = false;
let contentStart: i32 = -1;
let contentEnd: i32 = 0;
let textStart: i32 = -1;
let textEnd: i32 = 0;

export function input(): usize { return INPUT; }
export function output(): usize { return OUTPUT; }
export function found(): usize { return FOUND; }
export function noted(): usize { return NOTED; }

/** Begins a text that is a whole body. */
export function beginBody(): void {
  begin(OUTSIDE);
  for (let place = 0; place < 8; place++) put(place * 2, -1);
  forgetMessages();
}

/** Begins a text that is one message, whose texts are to be noted. */
export function beginMessage(): void {
  begin(MESSAGES | ARRAY);
  notesTexts = true;
}

/** Begins a text that is a system prompt, whose texts are to be noted. */
export function beginContent(): void {
  begin(MESSAGE);
  key = KEY_CONTENT;
  notesTexts = true;
}

function begin(outside: u32): void {
  state = VALUE;
  depth = 0;
  level = outside;
  key = NONE;
  notesTexts = false;
  forgetElement();
  put(IS_OBJECT, 0);
  put(IS_COMPLETE, 0);
  put(NOTED_COUNT, 0);
  put(NOTED_ANEW, 0);
}

/**
 * Goes on with the text, whose bytes from `offset` on are in INPUT. Answers how many were dealt with, which is less
 * than `length` when something is left over or the notes are full, or why the text is refused.
 */
export function feed(offset: i32, length: i32, isLast: bool): i32 {
  const end = INPUT + <usize>length;
  let at = INPUT;
  origin = offset - <i32>INPUT;
  if (state == IN_STRING) {
    const stop = stringEnd(at, end);
    if (stop == 0) return INVALID;
    if (cut) return isLast ? INVALID : <i32>(stop - INPUT);
    at = stop + 1;
    endLongString(<i32>at + origin);
  } else if (state == IN_NUMBER) {
    at = numberEnd(at, end);
    if (at == end && !isLast) return length;
    if (!isWholeNumber()) return INVALID;
    endValue(<i32>at + origin);
  }
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte <= 0x20) {
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return INVALID;
      at++;
      continue;
    }
    if (state == AFTER) {
      if (depth == 0) return INVALID;
      if (byte == 0x2c /* , */) {
        state = level & ARRAY ? VALUE : KEY;
        at++;
        continue;
      }
      if (byte != (level & ARRAY ? 0x5d : 0x7d)) return INVALID;
      at++;
      close(<i32>at + origin);
      if (notesTexts && get(NOTED_COUNT) == TEXTS) return <i32>(at - INPUT);
      continue;
    }
    if (state == COLON) {
      if (byte != 0x3a /* : */) return INVALID;
      state = VALUE;
      at++;
      continue;
    }
    if (byte == 0x22 /* " */) {
      const isKey = state == KEY || state == KEY_OR_CLOSE;
      const stop = stringEnd(at + 1, end);
      if (stop == 0) return INVALID;
      if (cut) {
        if (isLast) return INVALID;
        if (<i32>(end - at) < NAME) return <i32>(at - INPUT);
        stringIsKey = isKey;
        stringStart = <i32>at + origin;
        if (!isKey) startValue(stringStart);
        state = IN_STRING;
        return <i32>(stop - INPUT);
      }
      if (isKey) {
        takeKey(at + 1, stop);
        state = COLON;
      } else {
        startValue(<i32>at + origin);
        takeString(at, stop + 1);
        endValue(<i32>stop + 1 + origin);
      }
      at = stop + 1;
      continue;
    }
    if (state == KEY) return INVALID;
    if (state == KEY_OR_CLOSE) {
      if (byte != 0x7d /* } */) return INVALID;
      at++;
      close(<i32>at + origin);
      continue;
    }
    if (state == VALUE_OR_CLOSE && byte == 0x5d /* ] */) {
      at++;
      close(<i32>at + origin);
      continue;
    }
    if (byte == 0x7b /* { */ || byte == 0x5b /* [ */) {
      startValue(<i32>at + origin);
      if (depth == DEPTH_MAX) return TOO_DEEP;
      open(byte == 0x5b);
      at++;
      continue;
    }
    if (byte == 0x2d /* - */ || byte - 0x30 < 10) {
      startValue(<i32>at + origin);
      numberPart = partOf(byte);
      at = numberEnd(at + 1, end);
      if (at == end && !isLast) {
        state = IN_NUMBER;
        return length;
      }
      if (!isWholeNumber()) return INVALID;
      endValue(<i32>at + origin);
      continue;
    }
    const size: usize = byte == 0x66 /* f */ ? 5 : 4;
    if (at + size > end) return isLast ? INVALID : <i32>(at - INPUT);
    const word = load<u32>(at);
    const isLiteral =
      word == 0x65757274 /* true */ ||
      word == 0x6c6c756e /* null */ ||
      (word == 0x736c6166 /* fals */ && load<u8>(at + 4) == 0x65);
    if (!isLiteral) return INVALID;
    startValue(<i32>at + origin);
    at += size;
    endValue(<i32>at + origin);
  }
  if (isLast) {
    if (state != AFTER || depth != 0) return INVALID;
    put(IS_COMPLETE, 1);
  }
  return length;
}

/** Whether `stringEnd` has come to the end of the piece before that of the string. */
let cut: bool = false;

/** The closing quote of the string that goes on at `at`; 0 when it is no valid one. When cut, where to go on. */
function stringEnd(from: usize, end: usize): usize {
  let at = from;
  cut = false;
  while (at < end) {
    const block = v128.load(at);
    let marks: i32 = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
        i8x16.lt_u(block, i8x16.splat(0x20)),
      ),
    );
    let next = at + 16;
    while (marks != 0) {
      const place = at + <usize>ctz(marks);
      if (place >= end) break;
      const byte = load<u8>(place);
      if (byte == 0x22) return place;
      if (byte != 0x5c) return 0;
      let behind = place + 2;
      if (behind > end) { cut = true; return place; }
      const escaped = load<u8>(place + 1);
      if (escaped == 0x75 /* u */) {
        behind = place + 6;
        if (behind > end) { cut = true; return place; }
        if (hex4(place + 2) < 0) return 0;
      } else if (load<u8>(ESCAPES + <usize>escaped) == 0) return 0;
      if (behind >= at + 16) { next = behind; break; }
      marks &= -1 << <i32>(behind - at);
    }
    at = next;
  }
  cut = true;
  return end;
}

/** The value of four hexadecimal digits, or less than 0. */
function hex4(at: usize): i32 {
  return (hex(load<u8>(at)) << 12) | (hex(load<u8>(at + 1)) << 8) | (hex(load<u8>(at + 2)) << 4) | hex(load<u8>(at + 3));
}

function hex(byte: u32): i32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : -1;
}

function partOf(first: u32): i32 {
  if (first == 0x2d) return SIGN;
  return first == 0x30 ? ZERO : WHOLE;
}

/** The first byte that does not belong to the number; `numberPart` is the part it has come to. */
function numberEnd(from: usize, end: usize): usize {
  let at = from;
  let part = numberPart;
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte - 0x30 < 10) {
      if (part == SIGN) part = byte == 0x30 ? ZERO : WHOLE;
      else if (part == ZERO) break;
      else if (part == POINT) part = FRACTION;
      else if (part == EXPONENT || part == EXPONENT_SIGN) part = POWER;
    } else if (byte == 0x2e /* . */ && (part == ZERO || part == WHOLE)) part = POINT;
    else if ((byte | 0x20) == 0x65 /* e */ && (part == ZERO || part == WHOLE || part == FRACTION)) part = EXPONENT;
    else if ((byte == 0x2b || byte == 0x2d) && part == EXPONENT) part = EXPONENT_SIGN;
    else break;
    at++;
  }
  numberPart = part;
  return at;
}

function isWholeNumber(): bool {
  return numberPart == ZERO || numberPart == WHOLE || numberPart == FRACTION || numberPart == POWER;
}

/** A value begins at this place of the text. */
function startValue(start: i32): void {
  if (level == ROOT) {
    rootKey = key;
    rootStart = start;
  } else if (level == (MESSAGES | ARRAY)) elementStart = start;
}

/** A value has ended before this place of the text. */
function endValue(end: i32): void {
  state = AFTER;
  if (level == ROOT) {
    if (rootKey != NONE) {
      put(rootKey * 2, rootStart);
      put(rootKey * 2 + 1, end);
    }
  } else if (level == (MESSAGES | ARRAY)) endElement(end);
}

function open(isArray: bool): void {
  store<u8>(LEVELS + <usize>depth, <u8>level);
  depth++;
  level = isArray ? arrayIn(level) | ARRAY : objectIn(level);
  state = isArray ? VALUE_OR_CLOSE : KEY_OR_CLOSE;
}

function arrayIn(outer: u32): u32 {
  if (outer == ROOT && key == KEY_MESSAGES) return MESSAGES;
  if (outer == MESSAGE && key == KEY_CONTENT) return CONTENT;
  return OTHER;
}

function objectIn(outer: u32): u32 {
  if (outer == OUTSIDE) {
    put(IS_OBJECT, 1);
    return ROOT;
  }
  if (outer == (MESSAGES | ARRAY)) return MESSAGE;
  if (outer == (CONTENT | ARRAY)) {
    blockType = NO_TYPE;
    blockIsMarked = false;
    textStart = -1;
    return BLOCK;
  }
  if (outer == BLOCK && key == KEY_CACHE_CONTROL) return MARK;
  return OTHER;
}

/** The container ends before this place of the text. */
function close(end: i32): void {
  if (level == BLOCK) endBlock();
  depth--;
  level = <u32>load<u8>(LEVELS + <usize>depth);
  endValue(end);
}

function endBlock(): void {
  if (blockType == TOOL_RESULT_TYPE) isToolResult = true;
  if (blockIsMarked) isMarked = true;
  if (!notesTexts) return;
  if (textStart >= 0 && (blockType == NO_TYPE || blockType == TEXT_TYPE)) note(textStart, textEnd, blockIsMarked);
  else if (blockIsMarked) note(-1, -1, true);
}

function note(start: i32, end: i32, isMarkedText: bool): void {
  const count = get(NOTED_COUNT);
  const place = NOTED + <usize>count * 12;
  store<i32>(place, start);
  store<i32>(place + 4, end);
  store<i32>(place + 8, isMarkedText ? 1 : 0);
  put(NOTED_COUNT, count + 1);
}

function endElement(end: i32): void {
  put(COUNT, get(COUNT) + 1);
  putMessage(LAST, end);
  put(LAST_IS_TOOL_RESULT, isToolResult ? 1 : 0);
  if (role == USER) {
    if (get(FIRST_USER) < 0) putMessage(FIRST_USER, end);
    putMessage(LAST_USER, end);
  } else if (role == ASSISTANT && get(FIRST_ASSISTANT) < 0) putMessage(FIRST_ASSISTANT, end);
  if (isMarked && get(FIRST_MARKED) < 0) putMessage(FIRST_MARKED, end);
  forgetElement();
}

function forgetElement(): void {
  role = 0;
  isToolResult = false;
  isMarked = false;
  contentStart = -1;
}

function forgetMessages(): void {
  put(COUNT, 0);
  put(LAST_IS_TOOL_RESULT, 0);
  for (let place = LAST; place < MESSAGES_END; place++) put(place, -1);
}

/** A key takes back what an earlier one of the same name has said. */
function takeKey(start: usize, end: usize): void {
  key = NONE;
  if (level == OTHER) return;
  if (level == ROOT) key = rootKeyOf(start, end);
  else if (level == MESSAGE) key = messageKeyOf(start, end);
  else if (level == BLOCK) key = blockKeyOf(start, end);
  else if (level == MARK && is(start, end, "type")) {
    key = KEY_TYPE;
    blockIsMarked = false;
  }
}

function rootKeyOf(start: usize, end: usize): i32 {
  if (is(start, end, "model")) return 0;
  if (is(start, end, "stream")) return 1;
  if (is(start, end, "max_tokens")) return 2;
  if (is(start, end, "system")) return 3;
  if (is(start, end, "thinking")) return 4;
  if (is(start, end, "output_config")) return 5;
  if (is(start, end, "metadata")) return 6;
  if (!is(start, end, "messages")) return NONE;
  forgetMessages();
  return KEY_MESSAGES;
}

function messageKeyOf(start: usize, end: usize): i32 {
  if (is(start, end, "role")) {
    role = 0;
    return KEY_ROLE;
  }
  if (!is(start, end, "content")) return NONE;
  isToolResult = false;
  isMarked = false;
  contentStart = -1;
  put(NOTED_COUNT, 0);
  put(NOTED_ANEW, 1);
  return KEY_CONTENT;
}

function blockKeyOf(start: usize, end: usize): i32 {
  if (is(start, end, "type")) {
    blockType = OTHER_TYPE;
    return KEY_TYPE;
  }
  if (is(start, end, "text")) {
    textStart = -1;
    return KEY_TEXT;
  }
  if (!is(start, end, "cache_control")) return NONE;
  blockIsMarked = false;
  return KEY_CACHE_CONTROL;
}

/** A string that is a value, quotes included. */
function takeString(quote: usize, end: usize): void {
  if (key == NONE) return;
  const start = quote + 1;
  const stop = end - 1;
  if (level == MESSAGE) {
    if (key == KEY_ROLE) {
      if (is(start, stop, "user")) role = USER;
      else if (is(start, stop, "assistant")) role = ASSISTANT;
    } else takeText(<i32>quote + origin, <i32>end + origin);
  } else if (level == BLOCK) {
    if (key == KEY_TYPE) blockType = typeOf(start, stop);
    else takeText(<i32>quote + origin, <i32>end + origin);
  } else if (level == MARK && is(start, stop, "ephemeral")) blockIsMarked = true;
}

/** The key's value is a string that stands at this place of the text. */
function takeText(start: i32, end: i32): void {
  if (level == MESSAGE && key == KEY_CONTENT) {
    contentStart = start;
    contentEnd = end;
    if (notesTexts) note(start, end, false);
  } else if (level == BLOCK && key == KEY_TEXT) {
    textStart = start;
    textEnd = end;
  }
}

/** A string has ended that is too long for a name of interest. */
function endLongString(end: i32): void {
  if (stringIsKey) {
    key = NONE;
    state = COLON;
    return;
  }
  takeText(stringStart, end);
  endValue(end);
}

function typeOf(start: usize, end: usize): i32 {
  if (is(start, end, "text")) return TEXT_TYPE;
  return is(start, end, "tool_result") || is(start, end, "tool_use_result") ? TOOL_RESULT_TYPE : OTHER_TYPE;
}

/** Whether the inside of a string means this name, in whichever way it is written. Names are letters and `_`. */
function is(start: usize, end: usize, name: string): bool {
  let at = start;
  for (let index = 0; index < name.length; index++) {
    if (at >= end) return false;
    const byte = <i32>load<u8>(at);
    const wanted = name.charCodeAt(index);
    if (byte == wanted) at++;
    else if (byte == 0x5c && load<u8>(at + 1) == 0x75 && hex4(at + 2) == wanted) at += 6;
    else return false;
  }
  return at == end;
}

function get(place: i32): i32 { return load<i32>(FOUND + (<usize>place << 2)); }
function put(place: i32, value: i32): void { store<i32>(FOUND + (<usize>place << 2), value); }
function putMessage(place: i32, end: i32): void {
  put(place, elementStart);
  put(place + 1, end);
  put(place + 2, role);
  put(place + 3, contentStart);
  put(place + 4, contentEnd);
}

/**
 * Writes what the inside of a valid string means, as UTF-8, to OUTPUT; half a surrogate pair as U+FFFD. Answers
 * how many bytes it has dealt with: an escape that may go on behind the end of the piece is left over.
 */
export function unescape(length: i32, isLast: bool): i32 {
  const end = INPUT + <usize>length;
  let at = INPUT;
  let to = OUTPUT;
  while (at < end) {
    const block = v128.load(at);
    let marks: i32 = i8x16.bitmask(i8x16.eq(block, i8x16.splat(0x5c)));
    const blockEnd = min(at + 16, end);
    let from = at;
    at += 16;
    while (marks != 0) {
      const place = at - 16 + <usize>ctz(marks);
      if (place >= end) break;
      // No run is longer than a block, and what is written too much is written over.
      v128.store(to, v128.load(from));
      to += place - from;
      if (!isLast && end - place < 12) {
        put(WRITTEN, <i32>(to - OUTPUT));
        return <i32>(place - INPUT);
      }
      const escaped = load<u8>(place + 1);
      if (escaped != 0x75 /* u */) {
        store<u8>(to, load<u8>(ESCAPES + <usize>escaped));
        to++;
        from = place + 2;
      } else {
        to = encode(unitAt(place, end), to);
        from = place + unitSize;
      }
      if (from >= at) break;
      marks &= -1 << <i32>(from + 16 - at);
    }
    if (from < blockEnd) {
      v128.store(to, v128.load(from));
      to += blockEnd - from;
    } else at = max(from, blockEnd);
  }
  put(WRITTEN, <i32>(to - OUTPUT));
  return length;
}

/** Bytes of the escape that `unitAt` has read, or of two of them. */
let unitSize: usize = 0;

/** The character that the escape here and, for a surrogate pair, the one behind it stand for. */
function unitAt(at: usize, end: usize): i32 {
  const unit = hex4(at + 2);
  unitSize = 6;
  if ((unit & 0xf800) != 0xd800) return unit;
  const low = end - at >= 12 && load<u16>(at + 6) == 0x755c ? hex4(at + 8) : 0;
  if (unit < 0xdc00 && (low & 0xfc00) == 0xdc00) {
    unitSize = 12;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  put(HAS_LONE_SURROGATE, 1);
  return 0xfffd;
}

function encode(unit: i32, to: usize): usize {
  if (unit < 0x80) {
    store<u8>(to, <u8>unit);
    return to + 1;
  }
  if (unit < 0x800) {
    store<u8>(to, <u8>(0xc0 | (unit >> 6)));
    store<u8>(to + 1, <u8>(0x80 | (unit & 0x3f)));
    return to + 2;
  }
  if (unit < 0x10000) {
    store<u8>(to, <u8>(0xe0 | (unit >> 12)));
    store<u8>(to + 1, <u8>(0x80 | ((unit >> 6) & 0x3f)));
    store<u8>(to + 2, <u8>(0x80 | (unit & 0x3f)));
    return to + 3;
  }
  store<u8>(to, <u8>(0xf0 | (unit >> 18)));
  store<u8>(to + 1, <u8>(0x80 | ((unit >> 12) & 0x3f)));
  store<u8>(to + 2, <u8>(0x80 | ((unit >> 6) & 0x3f)));
  store<u8>(to + 3, <u8>(0x80 | (unit & 0x3f)));
  return to + 4;
}

store<u8>(ESCAPES + 0x22, 0x22);
store<u8>(ESCAPES + 0x5c, 0x5c);
store<u8>(ESCAPES + 0x2f, 0x2f);
store<u8>(ESCAPES + 0x62, 0x08);
store<u8>(ESCAPES + 0x66, 0x0c);
store<u8>(ESCAPES + 0x6e, 0x0a);
store<u8>(ESCAPES + 0x72, 0x0d);
store<u8>(ESCAPES + 0x74, 0x09);
