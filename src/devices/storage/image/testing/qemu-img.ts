import {spawnSync} from 'node:child_process';
import type {ExecutionContext} from 'ava';

/** True where QEMU's program for images is. */
export const hasQemuImg: boolean = spawnSync('qemu-img', ['--version']).status === 0;

/** Runs it. @returns its status and all that it said */
export function qemuImg(...args: readonly string[]): {status: number | null; said: string} {
	const {status, stdout, stderr} = spawnSync('qemu-img', args, {encoding: 'utf8'});
	return {status, said: stdout + stderr};
}

/** Fails the test where it says that something is wrong. */
export function qemuImgSays(t: ExecutionContext, ...args: readonly string[]): string {
	const {status, said} = qemuImg(...args);
	t.is(status, 0, `qemu-img ${args.join(' ')}: ${said}`);
	return said;
}
