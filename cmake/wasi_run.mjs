// Runs a WASI program under node: wasi_run.mjs PROGRAM [ARG]... The whole file system and environment are visible.
// Each folder of the root is opened by itself, because wasi-libc takes "/" and "." for the same place.
// The sandbox lets no relative path climb out of the current folder, so arguments that name existing paths with ".."
// are made absolute, and so is the place of the test data.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { WASI } from 'node:wasi';

const [program, ...args] = process.argv.slice(2);
const absolute = (text) => {
    const at = text.indexOf('=') + 1;           // name=FILE
    const path = text.slice(at);
    return path.includes('..') && existsSync(path) ? text.slice(0, at) + resolve(path) : text;
};
const roots = readdirSync('/').map((name) => ['/' + name, '/' + name]).filter(([path]) => {
    try {
        return statSync(path).isDirectory();
    } catch {
        return false;
    }
});
const wasi = new WASI({
    version: 'preview1',
    args: [program, ...args.map(absolute)],
    env: { ...process.env, BORN_TEST_DATA: resolve(process.env.BORN_TEST_DATA ?? '../shared/data') },
    preopens: Object.fromEntries([['.', process.cwd()], ...roots]),
    returnOnExit: true,
});
globalThis.born_wasi = wasi;             // node collects the object while its program still runs
const module = new WebAssembly.Module(readFileSync(program));
const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport });
process.exit(wasi.start(instance));       // at once: node may fail in tearing the object down
