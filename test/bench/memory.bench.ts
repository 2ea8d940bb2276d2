/** Memory of the process beyond guest RAM, while the guest works. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {report} from './report.ts';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');

/** Guest RAM is shared memory, so it is the part of the resident set that is left out here. */
function ownMebibytes(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, 'latin1');
	const kib = (name: string) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1]);
	return (kib('RssAnon') + kib('RssFile')) / 1024;
}

async function measure(processors: number): Promise<number> {
	const args = [launcher, '-p', String(processors), '-m', '64M', '-c', 'loop'];
	const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit']});
	let output = '';
	for await (const chunk of child.stdout) {
		output += chunk;
		if (output.includes(`${processors} running`)) break;
	}
	await new Promise((resolve) => setTimeout(resolve, 2000));
	const result = ownMebibytes(child.pid ?? 0);
	child.kill('SIGTERM');
	await once(child, 'exit');
	return result;
}

async function nodeMebibytes(): Promise<number> {
	const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 5000)'], {stdio: 'ignore'});
	await new Promise((resolve) => setTimeout(resolve, 2000));
	const result = ownMebibytes(child.pid ?? 0);
	child.kill();
	return result;
}

report(
	'Resident memory beyond guest RAM',
	[
		{name: 'idle node', unit: 'MiB', samples: [await nodeMebibytes()]},
		{name: '1 processor', unit: 'MiB', samples: [await measure(1), await measure(1), await measure(1)]},
		{name: '8 processors', unit: 'MiB', samples: [await measure(8), await measure(8), await measure(8)]},
	],
	'idle node',
);
