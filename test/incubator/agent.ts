/** Runs inside the incubator: starts the commands that the session asks for and carries their streams. */

import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {createReadStream, createWriteStream, openSync, readdirSync, readFileSync} from 'node:fs';
import {createVm, openKvm} from '#vcpu-worker/kvm';
import {
	type ExitReport,
	encodeFrame,
	encodeJsonFrame,
	FRAME,
	type Frame,
	FrameReader,
	HEARTBEAT_MS,
	type StartRequest,
} from './frames.ts';

const PORT_NAME = 'openvmm.agent';
const PORT_FOLDER = '/sys/class/virtio-ports';
/** Time for which output may still come after a command has ended, from a child that left its process group. */
const LINGER_MS = 1000;

const fd = openSync(portDevice(), 'r+');
const output = createWriteStream('', {fd, autoClose: false});
const commands = new Map<number, ChildProcessWithoutNullStreams>();

function portDevice(): string {
	const port = readdirSync(PORT_FOLDER).find(
		(name) => readFileSync(`${PORT_FOLDER}/${name}/name`, 'utf8').trim() === PORT_NAME,
	);
	if (port === undefined) {
		throw new Error(`No port named ${PORT_NAME}`);
	}
	return `/dev/${port}`;
}

function send(bytes: Uint8Array): void {
	if (!output.write(bytes)) {
		for (const {stdout, stderr} of commands.values()) {
			stdout.pause();
			stderr.pause();
		}
	}
}

output.on('drain', () => {
	for (const {stdout, stderr} of commands.values()) {
		stdout.resume();
		stderr.resume();
	}
});

function start(id: number, {argv, cwd, env, terminal}: StartRequest): void {
	const [command, words] = terminal === undefined ? [argv[0] ?? '', argv.slice(1)] : onTerminal(argv, terminal);
	// A process group of its own, so that a signal reaches all that the command started.
	const child = spawn(command, words, {cwd, env: {...process.env, ...env}, detached: true});
	commands.set(id, child);
	child.stdout.on('data', (chunk: Buffer) => send(encodeFrame(FRAME.stdout, id, chunk)));
	child.stderr.on('data', (chunk: Buffer) => send(encodeFrame(FRAME.stderr, id, chunk)));
	// A command may end without reading its input.
	child.stdin.on('error', () => undefined);
	const end = (report: ExitReport) => {
		if (commands.delete(id)) {
			send(encodeJsonFrame(FRAME.exit, id, report));
		}
	};
	child.on('error', (error) => end({status: null, signal: null, error: error.message}));
	child.on('exit', () => {
		killGroup(child, 'SIGKILL');
		setTimeout(() => {
			child.stdout.destroy();
			child.stderr.destroy();
		}, LINGER_MS).unref();
	});
	child.on('close', (status, signal) => end({status, signal}));
}

function onTerminal(argv: readonly string[], size: {columns: number; rows: number}): [string, string[]] {
	const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
	const line = `stty columns ${size.columns} rows ${size.rows}; exec ${quoted}`;
	return ['script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null']];
}

function killGroup(child: ChildProcessWithoutNullStreams, signal: string): void {
	if (child.pid !== undefined) {
		try {
			process.kill(-child.pid, signal);
		} catch {
			// Nothing of the group is left.
		}
	}
}

function serve({kind, id, payload}: Frame): void {
	const child = commands.get(id);
	switch (kind) {
		case FRAME.start:
			start(id, JSON.parse(Buffer.from(payload).toString()) as StartRequest);
			break;
		case FRAME.stdin:
			payload.length === 0 ? child?.stdin.end() : child?.stdin.write(payload);
			break;
		case FRAME.signal:
			child !== undefined && killGroup(child, Buffer.from(payload).toString());
			break;
	}
}

// Without a VM, KVM turns virtualization off on every processor, and on again for the next: the emulator stands still in
// that now and then. This one, which never runs, keeps it on.
createVm(openKvm());

const reader = new FrameReader();
const input = createReadStream('', {fd, autoClose: false});
input.on('data', (chunk) => reader.push(chunk as Buffer).forEach(serve));
// The session is gone: end, so that the machine powers off.
input.on('end', () => process.exit(0));
send(encodeFrame(FRAME.ready, 0));
// The session tells a long command from a machine that stands still.
setInterval(() => send(encodeFrame(FRAME.ready, 0)), HEARTBEAT_MS);
