import type {ExecutionContext} from 'ava';
import {patience} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';

/**
 * Words of `openvmm run` that give a machine Debian's kernel and the tests' initial file system, which has a busybox.
 * @param more - words for the kernel
 */
export function guestWords(t: ExecutionContext, ...more: readonly string[]): string[] {
	t.timeout(600_000);
	const {kernel, initrd} = stockFiles('cloud');
	const cmdline = ['cryptomgr.notests', ...patience, ...more].join(' ');
	return ['-m', '512M', '--kernel', kernel, '--initrd', initrd, '--cmdline', cmdline];
}
