import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import type {GuestStream, Vm} from '#main/vm';
import {isVmmError} from '#support/errors';
import {
	flagged,
	hearButton,
	linuxTest,
	openTestSnapshot,
	pressed,
	runInLinux,
	snapshotPlace,
	until,
	untilReadable,
	untilThere,
} from '#test/petri';
import {vsockProgram, vsockStatus} from './testing/vsock-program.ts';

const sectorBytes = 512;
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A guest with sockets, and a disk that is the program which uses them. */
function machineOn(bus: 'pci' | 'mmio', t: ExecutionContext): VmOptions {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-vsock-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const [disk, program] = [join(folder, 'program'), vsockProgram()];
	writeFileSync(disk, Buffer.concat([program, Buffer.alloc(sectorBytes - (program.length % sectorBytes))]));
	const flags = {
		'virtio-blk': [`file:${disk},ro`],
		'virtio-vsock-path': [join(folder, 'v.sock')],
		'virtio-vsock-cid': ['42'],
	};
	if (bus === 'mmio') return {processors: {count: 2}, devices: flagged(flags)};
	return {
		processors: {count: 2},
		pcie: {rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
		devices: flagged({...flags, 'virtio-vsock-pcie-port': ['rp0']}),
	};
}

const begin = [
	'dmesg -c >/dev/null',
	'modprobe -a virtio_pci virtio_mmio virtio_blk vmw_vsock_virtio_transport',
	untilThere('/sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio*'),
	untilReadable('/dev/vda'),
	'cat /dev/vda >/tmp/vsock; chmod +x /tmp/vsock',
	'dd if=/dev/urandom of=/tmp/sent bs=64k count=16 2>/dev/null',
	'echo sent=$(sha256sum </tmp/sent | cut -c 1-64)',
	hearButton,
	'echo wants=hosts',
	until(pressed(1)),
];
const messages = "dmesg | grep -v OPENVMM_RUN | grep -E 'vsock|virtio|WARNING: CPU|BUG:|Call Trace'";
const complaints = /WARNING: CPU|BUG:|Call Trace|vsock.*(fail|error)|not a head/i;

/** All that a stream gives. */
async function bytesOf(stream: GuestStream): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	for await (const piece of stream) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** Connects as soon as the guest listens. */
async function connect(vm: Vm, port: number): Promise<GuestStream> {
	for (;;) {
		try {
			return await vm.vsock.connect(port);
		} catch (error) {
			if (!isVmmError(error) || error.code !== 'VM_VSOCK_REFUSED') throw error;
			await sleep(100);
		}
	}
}

for (const bus of ['pci', 'mmio'] as const)
	linuxTest(
		`Linux and a program of the host's connect to each other and exchange a mebibyte, over ${bus}`,
		async (t, make) => {
			const guest = await runInLinux(make, machineOn(bus, t), [
				...begin,
				'/tmp/vsock c 7000; echo nobody=$?',
				'echo echoed=$(/tmp/vsock c 5000 </tmp/sent | sha256sum | cut -c 1-64)',
				'/tmp/vsock l 6000 </tmp/sent >/tmp/got; echo got=$(sha256sum </tmp/got | cut -c 1-64)',
				'for i in 1 2 3 4 5 6 7 8; do (echo client $i | /tmp/vsock c 5001) & done; wait',
				messages,
			]);
			const {vm} = guest;
			const [echoes, greetings] = [await vm.vsock.listen(5000), await vm.vsock.listen(5001)];
			await guest.waitFor(/^wants=hosts\r?$/m);
			await vm.powerButton();
			const echo = async () => {
				for await (const stream of echoes) {
					const bytes = await bytesOf(stream);
					stream.end(bytes);
					return bytes;
				}
				return undefined;
			};
			const echoed = await echo();
			t.is(echoed?.length, 2 ** 20);
			const own = randomBytes(3 * 2 ** 20 + 1);
			const stream = await connect(vm, 6000);
			stream.end(own);
			const answered = await bytesOf(stream);
			const clients: string[] = [];
			for await (const client of greetings) {
				const text = `${await bytesOf(client)}`;
				client.end(`you are ${text}`);
				if (clients.push(text) === 8) break;
			}
			t.deepEqual(await vm.ended, {kind: 'power-off'}, guest.output);
			const {output} = guest;
			const found = (name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1] ?? '';
			t.is(found('nobody'), `${vsockStatus.refused}`, output);
			t.regex(found('sent'), /^[0-9a-f]{64}$/, output);
			t.is(found('echoed'), found('sent'), output);
			t.is(digestOf(answered), found('sent'), output);
			t.is(found('got'), digestOf(own), output);
			t.deepEqual(
				clients.sort(),
				Array.from({length: 8}, (_, index) => `client ${index + 1}\n`),
			);
			for (let client = 1; client <= 8; client++) t.regex(output, new RegExp(`you are client ${client}`));
			t.notRegex(output, complaints);
		},
	);

linuxTest("Linux's connections end when it goes on from a snapshot, and new ones come about", async (t, make) => {
	const directory = snapshotPlace(t);
	const machine = machineOn('mmio', t);
	const guest = await runInLinux(make, machine, [
		...begin,
		'mkfifo /tmp/fifo',
		'(echo before; sleep 100000) >/tmp/fifo & /tmp/vsock c 5000 </tmp/fifo; echo ended=$?',
		'echo after | /tmp/vsock c 5001; echo second=$?',
	]);
	const first = await guest.vm.vsock.listen(5000);
	await guest.waitFor(/^wants=hosts\r?$/m);
	await guest.vm.powerButton();
	const [stream] = await firstOf(first);
	const [piece] = await firstOf(stream as GuestStream);
	t.is(`${piece}`, 'before\n');
	await guest.vm.pause();
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	t.notRegex(guest.output, /^ended=/m);
	const snapshot = openTestSnapshot(t, directory);
	const restored = await make({...machine, boot: {kind: 'none'}}, {snapshot});
	const listener = await restored.vm.vsock.listen(5001);
	await restored.vm.start();
	const [second] = await firstOf(listener);
	t.is(`${await bytesOf(second as GuestStream)}`, 'after\n');
	second?.end();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
	t.regex(restored.output, new RegExp(`^ended=${vsockStatus.broken}\r?$`, 'm'));
	t.regex(restored.output, /^second=0\r?$/m);
	t.notRegex(restored.output, complaints);
});

/** The first of what comes, whose rest is still to come. */
async function firstOf<T>(all: AsyncIterable<T>): Promise<T[]> {
	const {value, done} = await all[Symbol.asyncIterator]().next();
	return done === true ? [] : [value];
}
