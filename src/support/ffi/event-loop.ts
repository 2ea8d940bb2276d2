// UNSAFE-FFI: the functions of Node and libuv that lead to the thread's event loop, which addons use too.
import {koffi} from './koffi.ts';

/**
 * The descriptor of this thread's own event loop: readable while the loop has something to do, such as a message for the thread
 * or a callback of `node:fs` (libuv, `uv_backend_fd`, which is for loops that are part of another). It is the loop's.
 */
export function eventLoopFd(): number {
	const node = koffi().load(null);
	// SAFETY: the names say the signatures: v8::Isolate::GetCurrent(), node::GetCurrentEventLoop(v8::Isolate*), which is of node.h.
	const isolate = node.func('uintptr_t _ZN2v87Isolate10GetCurrentEv()')();
	const loop = node.func('uintptr_t _ZN4node19GetCurrentEventLoopEPN2v87IsolateE(uintptr_t isolate)')(isolate);
	return node.func('int uv_backend_fd(uintptr_t loop)')(loop);
}
