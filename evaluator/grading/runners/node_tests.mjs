// Runs test files that are written for Jest: describe, test, it, hooks, expect with its usual matchers.
//
// Sent into the sandbox; arguments: the test files. Two processes: the child loads the tests and the
// answer and tells results on descriptor 3; the parent never loads the answer, knows from the tests'
// source how many there must be, and alone learns the token (stdin), which it prints last:
// "<token> <passed> <total>". Exit code: 0 all passed, 1 not all, 65 a file is no JavaScript.
// Tests marked with x (xtest, xit) run as well; test.skip does not. Equality is decided here, on the
// tests' side: an answer's objects have no say in it.
import { spawn } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

const [mode, ...files] = process.argv.slice(2);
const REPORT = 3;
const { is, keys, getPrototypeOf } = Object;
const isArray = Array.isArray;
const write = writeSync;
const stringify = JSON.stringify;

function say(event) {
  write(REPORT, stringify(event) + '\n');
}

// ---------------------------------------------------------------- equality as Jest's toEqual

function equal(a, b, seen = []) {
  if (is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Error && b instanceof Error) return a.message === b.message;
  for (const kind of [Date, RegExp, Map, Set, ArrayBuffer, Number, String, Boolean]) {
    if (a instanceof kind || b instanceof kind) {
      return a instanceof kind && b instanceof kind && isDeepStrictEqual(a, b);
    }
  }
  if (isArray(a) !== isArray(b) || (isArray(a) && a.length !== b.length)) return false;
  if (seen.some(([left, right]) => left === a && right === b)) return true;
  const deeper = [...seen, [a, b]];
  const names = new Set([...keys(a), ...keys(b)]);
  return [...names].every((name) => equal(a[name], b[name], deeper));
}

function shown(value) {
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    const text = typeof value === 'string' ? stringify(value) : stringify(value) ?? String(value);
    return text.length > 500 ? text.slice(0, 500) + '…' : text;
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function throws(received, wanted) {
  let thrown;
  let didThrow = false;
  if (typeof received === 'function') {
    try { received(); } catch (error) { thrown = error; didThrow = true; }
  } else {
    thrown = received; // what a promise was rejected with
    didThrow = true;
  }
  if (!didThrow) return false;
  const message = String(thrown?.message ?? thrown);
  if (wanted === undefined) return true;
  if (typeof wanted === 'string') return message.includes(wanted);
  if (wanted instanceof RegExp) return wanted.test(message);
  if (typeof wanted === 'function') return thrown instanceof wanted;
  return message === wanted?.message;
}

const MATCHERS = {
  toBe: is,
  toEqual: (a, b) => equal(a, b),
  toStrictEqual: (a, b) => equal(a, b) && getPrototypeOf(Object(a)) === getPrototypeOf(Object(b)),
  toBeCloseTo: (a, b, digits = 2) => is(a, b) || Math.abs(a - b) < 10 ** -digits / 2,
  toBeNull: (a) => a === null,
  toBeUndefined: (a) => a === undefined,
  toBeDefined: (a) => a !== undefined,
  toBeNaN: (a) => Number.isNaN(a),
  toBeTruthy: (a) => Boolean(a),
  toBeFalsy: (a) => !a,
  toBeInstanceOf: (a, b) => a instanceof b,
  toBeGreaterThan: (a, b) => a > b,
  toBeGreaterThanOrEqual: (a, b) => a >= b,
  toBeLessThan: (a, b) => a < b,
  toBeLessThanOrEqual: (a, b) => a <= b,
  toContain: (a, b) => (typeof a === 'string' ? a.includes(b) : [...a].some((x) => is(x, b))),
  toContainEqual: (a, b) => [...a].some((x) => equal(x, b)),
  toHaveLength: (a, b) => a.length === b,
  toMatch: (a, b) => (typeof b === 'string' ? a.includes(b) : b.test(a)),
  toHaveProperty: (a, name) => name in Object(a),
  toThrow: throws,
  toThrowError: throws,
};

function matchersOf(received, isNot) {
  const found = {};
  for (const name of keys(MATCHERS)) {
    found[name] = (...wanted) => {
      if (MATCHERS[name](received, ...wanted) === isNot) {
        const not = isNot ? 'not.' : '';
        const error = new Error(
          `expect(${shown(received)}).${not}${name}(${wanted.map(shown).join(', ')})`,
        );
        error.isAssertion = true;
        throw error;
      }
    };
  }
  return found;
}

function eventually(promise, isNot, rejected) {
  const found = {};
  for (const name of keys(MATCHERS)) {
    found[name] = async (...wanted) => {
      let value;
      let failed = false;
      try { value = await promise; } catch (error) { value = error; failed = true; }
      if (failed !== rejected) throw new Error(`the promise was ${failed ? 'rejected' : 'resolved'}`);
      matchersOf(value, isNot)[name](...wanted);
    };
  }
  return found;
}

function expect(received) {
  const both = (make) => ({ ...make(false), not: make(true) });
  return {
    ...both((isNot) => matchersOf(received, isNot)),
    resolves: both((isNot) => eventually(received, isNot, false)),
    rejects: both((isNot) => eventually(received, isNot, true)),
  };
}

// ---------------------------------------------------------------- describe, test, hooks

const root = { name: '', tests: [], beforeEach: [], afterEach: [], beforeAll: [], afterAll: [] };
let block = root;

function describe(name, define) {
  const inner = { name, tests: [], beforeEach: [], afterEach: [], beforeAll: [], afterAll: [] };
  block.tests.push(inner);
  const outer = block;
  block = inner;
  define();
  block = outer;
}

function test(name, run) {
  block.tests.push({ name, run });
}

test.skip = () => {};
describe.skip = () => {};
describe.each = (rows) => (name, define) => rows.forEach((row) => describe(name, () => define(...[row].flat())));
test.each = (rows) => (name, run) => rows.forEach((row) => test(name, () => run(...[row].flat())));

function called(run) {
  if (run.length === 0) return run();
  return new Promise((done, fail) => run((error) => (error ? fail(error) : done())));
}

async function runBlock(node, path, before, after) {
  const names = [...path, node.name].filter(Boolean);
  for (const hook of node.beforeAll) await called(hook);
  const [first, last] = [[...before, ...node.beforeEach], [...node.afterEach, ...after]];
  for (const item of node.tests) {
    if (item.tests) {
      await runBlock(item, names, first, last);
      continue;
    }
    const name = [...names, item.name].join(' › ');
    try {
      for (const hook of first) await called(hook);
      await called(item.run);
      for (const hook of last) await called(hook);
      say({ test: name, state: 'passed', text: '' });
    } catch (error) {
      const text = error?.isAssertion ? error.message : String(error?.stack ?? error);
      say({ test: name, state: 'failed', text: text.slice(0, 3000) });
    }
  }
  for (const hook of node.afterAll) await called(hook);
}

async function runChild() {
  const hook = (kind) => (run) => block[kind].push(run);
  Object.assign(globalThis, {
    describe, test, it: test, xtest: test, xit: test, xdescribe: describe, expect,
    beforeEach: hook('beforeEach'), afterEach: hook('afterEach'),
    beforeAll: hook('beforeAll'), afterAll: hook('afterAll'),
  });
  for (const file of files) {
    try {
      await import(pathToFileURL(resolve(file)));
    } catch (error) {
      const state = error instanceof SyntaxError ? 'syntax' : 'load';
      say({ test: '', state, text: String(error?.stack ?? error).slice(0, 3000) });
      return;
    }
  }
  await runBlock(root, [], [], []);
  say({ test: '', state: 'end', text: '' });
}

// ---------------------------------------------------------------- the parent

function numWanted() {
  const pattern = /^\s*(?:x?test|x?it)\(/gm;
  return files
    .map((file) => (readFileSync(file, 'utf8').match(pattern) ?? []).length)
    .reduce((sum, count) => sum + count, 0);
}

function runParent() {
  const total = numWanted();
  const loader = ['--no-warnings', '--experimental-loader', resolve('.codeloop_loader.mjs')];
  const own = process.argv[1];
  const child = spawn(process.execPath, [...loader, own, 'child', ...files], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  let report = '';
  child.stdio[REPORT].on('data', (part) => { report += part; });
  child.on('close', () => {
    const token = readFileSync(0, 'utf8').trim();
    const events = report.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const marks = new Set(events.map((event) => event.state));
    for (const { test: name, state, text } of events) {
      if (state !== 'passed' && text) console.log(`${state.toUpperCase()} ${name}\n${text}`);
    }
    const passed = events.filter((event) => event.state === 'passed').length;
    const isWhole = marks.has('end') && !marks.has('failed') && total > 0 && passed >= total;
    if (!['end', 'syntax', 'load'].some((mark) => marks.has(mark))) {
      console.log('the tests ended before they were done');
    }
    console.log(`\n${token} ${passed} ${Math.max(total, passed)}`);
    process.exitCode = marks.has('syntax') ? 65 : isWhole ? 0 : 1;
  });
}

if (mode === 'child') await runChild();
else runParent();
