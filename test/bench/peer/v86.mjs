/** Boots a multiboot kernel on v86, with COM1 as standard output: usage: v86.mjs KERNEL MIB. Its npm package has no BIOS, and multiboot kernels need none. */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {V86} from 'v86';

const [, , kernel, mib] = process.argv;
const emulator = new V86({
	wasm_path: fileURLToPath(import.meta.resolve('v86/build/v86.wasm')),
	multiboot: {buffer: new Uint8Array(readFileSync(kernel)).buffer},
	memory_size: Number(mib) * 2 ** 20,
	autostart: true,
	disable_keyboard: true,
	disable_mouse: true,
	disable_speaker: true,
});
emulator.add_listener('serial0-output-byte', (byte) => process.stdout.write(String.fromCharCode(byte)));
