import {execFileSync, spawnSync} from 'node:child_process';
import type {ExecutionContext} from 'ava';

/** Programs of e2fsprogs, which is not on every host, and not in every user's path. */
const env = {...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`};

/** True where they are. */
export const hasExt4Tools: boolean = spawnSync('debugfs', ['-V'], {env}).status === 0;

/** What `debugfs` answers to a request about an image. */
export const debugfs = (image: string, request: string): string =>
	execFileSync('debugfs', ['-R', request, image], {env, encoding: 'latin1', maxBuffer: 64 * 2 ** 20, stdio: 'pipe'});

/** What the checker of ext4 says of an image: nothing is wrong when it ends with 0. */
export function checkExt4(t: ExecutionContext, image: string): void {
	const {status, stdout} = spawnSync('e2fsck', ['-f', '-n', image], {env, encoding: 'utf8'});
	t.is(status, 0, stdout);
}
