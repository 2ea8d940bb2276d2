/**
 * Measures what a guest of the software processor gets of a shared folder, by 9P and by virtio-fs, beside the same guest in QEMU (`-accel tcg`) with its 9P, and with Debian's
 * virtiofsd: files made, looked at and removed, and a file read and written, all in the host's page cache, one processor. What bounds all is the guest's kernel,
 * which software executes; what the server takes is what is left of the difference. Aim: as much as QEMU's.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {bytesContent, FileTree} from '#main/file-tree';
import {packCpio} from '#main/images';
import {stockFiles} from '#test/stock-kernels';
import {both, GuestProcess, patience, peer, type SharedFolder, sleep} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const virtiofsd = '/usr/lib/qemu/virtiofsd';
const [files, mib] = [300, 32];
// The kernel for virtual machines has no 9P.
const {kernel, initrd} = stockFiles('generic');

/** Times that all is done before it counts. */
const unmeasured = 3;
/** Behind it a guest knows nothing of a file that it has not asked for again: both servers vouch for a second. */
const forgotten = 'sleep 1.5';
/** What is measured: lines of shell, how many units of what each is, and what is done before and does not count. */
const works: Readonly<
	Record<string, {readonly before?: string; readonly line: string; readonly units: number; readonly unit: string}>
> = {
	'files made': {
		line: `cd /shared/d; i=0; while [ $i -lt ${files} ]; do : >$i; i=$((i+1)); done`,
		units: files,
		unit: 'a second',
	},
	'files looked at': {
		before: forgotten,
		line: `i=0; while [ $i -lt ${files} ]; do [ -s $i ]; i=$((i+1)); done`,
		units: files,
		unit: 'a second',
	},
	'files looked at again': {
		line: `i=0; while [ $i -lt ${files} ]; do [ -s $i ]; i=$((i+1)); done`,
		units: files,
		unit: 'a second',
	},
	'files removed': {before: forgotten, line: 'rm *', units: files, unit: 'a second'},
	'file read': {line: 'dd if=/shared/big of=/dev/null bs=1M 2>/dev/null', units: mib, unit: 'MiB/s'},
	'file written': {line: `dd if=/dev/zero of=/shared/out bs=1M count=${mib} 2>/dev/null`, units: mib, unit: 'MiB/s'},
};
const mounts = {
	'9p': 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /shared',
	'virtio-fs': 'mount -t virtiofs host /shared',
} as const;

async function initrdFor(by: SharedFolder['by']): Promise<string> {
	const script = [
		'modprobe -a virtio_pci virtio_mmio 9pnet_virtio 9p virtiofs; mkdir -p /shared',
		`until ${mounts[by]} 2>/dev/null; do sleep 0.1; done; mkdir /shared/d`,
		// The first time all of it is new to both processors.
		...Array.from({length: unmeasured}, () => Object.values(works).map(({line}) => line)).flat(),
		...Object.values(works).map(
			({before = ':', line}, index) => `${before}; echo begin-${index}-; ${line}; echo end-${index}-`,
		),
		'echo all-done',
	];
	const tree = new FileTree(0);
	tree.addFile('script', bytesContent(`${script.join('\n')}\n`));
	const path = join(folder, 'initrd');
	copyFileSync(initrd, path);
	for await (const bytes of packCpio(tree)) appendFileSync(path, bytes);
	return path;
}

/** Units a second of each work. */
async function measure(who: string, by: SharedFolder['by']): Promise<readonly number[]> {
	const [path, socket] = [join(folder, 'shared'), join(folder, 'fs.sock')];
	rmSync(path, {recursive: true, force: true});
	mkdirSync(path);
	writeFileSync(join(path, 'big'), Buffer.alloc(mib * 2 ** 20, 'data'));
	let server: ChildProcess | undefined;
	if (who === peer && by === 'virtio-fs') {
		server = spawn(virtiofsd, [`--socket-path=${socket}`, '-o', `source=${path}`, '-o', 'sandbox=chroot'], {
			stdio: 'ignore',
		});
		while (!existsSync(socket)) await sleep(50);
	}
	const guest = new GuestProcess(who, {
		...{kernel, initrd: await initrdFor(by), words: `console=ttyS0 quiet OPENVMM_RUN="sh /script" ${patience}`},
		...{memoryMib: 512, processors: 1, folder: {by, path, socket}},
	});
	try {
		const rates: number[] = [];
		for (const [index, {units}] of Object.values(works).entries()) {
			const begun = await guest.said(`begin-${index}-`);
			const ended = await guest.said(`end-${index}-`);
			rates.push((units * 1000) / (ended.atMs - begun.atMs));
		}
		return rates;
	} finally {
		await guest.kill();
		server?.kill('SIGKILL');
		rmSync(socket, {force: true});
	}
}

try {
	for (const by of Object.keys(mounts) as SharedFolder['by'][]) {
		const names = by === 'virtio-fs' && !existsSync(virtiofsd) ? ['openvmm'] : both;
		const samples = names.map((name) => ({name, rates: Object.keys(works).map(() => [] as number[])}));
		for (let round = 0; round < rounds; round++)
			for (const {name, rates} of samples)
				for (const [index, rate] of (await measure(name, by)).entries()) rates[index]?.push(rate);
		for (const [index, [what, {unit}]] of Object.entries(works).entries()) {
			const figures = samples.map(({name, rates}) => ({name, unit, samples: rates[index] ?? []}));
			report(`${what} in a folder by ${by}`, figures, peer);
		}
	}
} finally {
	rmSync(folder, {recursive: true, force: true});
}
