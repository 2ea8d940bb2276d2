/**
 * The least program that does what a start on the software processor has to do, as `software-start` measures it: a thread compiles the
 * interpreter while the main thread maps the file that is RAM, then makes it, and stores to RAM as the guest's first instruction does. No
 * configuration, devices or command line, and nothing of ours but the interpreter.
 * Words: the interpreter, koffi, the file, its bytes, the byte to store.
 */
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {isMainThread, parentPort, SHARE_ENV, Worker, workerData} from 'node:worker_threads';

/** See mmap(2) and open(2). */
const [protection, flags, readWrite] = [3, 0x11, 2];
const pageBytes = 65536;

if (isMainThread) {
	const [interpreter, koffiPath, file, bytes, mark] = process.argv.slice(2);
	// First of all, as the launcher does.
	const thread = new Worker(new URL(import.meta.url), {workerData: {interpreter, mark: Number(mark)}, env: SHARE_ENV});
	const koffi = createRequire(import.meta.url)(koffiPath);
	const libc = koffi.load(null);
	const open = libc.func('int open(const char *path, int flags)');
	const mmap = libc.func('intptr_t mmap(intptr_t at, size_t length, int protection, int flags, int fd, long offset)');
	const pages = BigInt(Number(bytes) / pageBytes);
	const ram = new WebAssembly.Memory({initial: pages, maximum: pages, shared: true, address: 'i64'});
	mmap(koffi.address(ram.buffer), Number(bytes), protection, flags, open(file, readWrite), 0);
	thread.postMessage(ram);
} else {
	const module = new WebAssembly.Module(readFileSync(workerData.interpreter));
	parentPort.once('message', (ram) => {
		const state = new WebAssembly.Memory({initial: 1100, maximum: 1100, shared: true});
		const translations = new WebAssembly.Table({element: 'anyfunc', initial: 64});
		const functions = WebAssembly.Module.imports(module).filter(({kind}) => kind === 'function');
		const none = Object.fromEntries(functions.map(({name}) => [name, () => 0]));
		new WebAssembly.Instance(module, {env: {...none, state, ram, translations}});
		new Uint8Array(ram.buffer)[workerData.mark] = 1;
	});
}
// As a machine does that runs.
setInterval(() => {}, 1000);
