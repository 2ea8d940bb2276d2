import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {serveGdb} from '../gdb-server.ts';
import {RawClient} from './raw-client.ts';
import {StillMachine} from './still-machine.ts';

/** A machine that stands still, and the server of its debugger on a Unix socket. */
export async function served(t: ExecutionContext) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-gdb-server-'));
	const path = join(folder, 'socket');
	const machine = new StillMachine();
	const server = await serveGdb(machine, {kind: 'unix', path});
	t.teardown(async () => {
		await server.close();
		rmSync(folder, {recursive: true});
	});
	return {folder, path, machine, server};
}

/** The same with a client that has connected. */
export async function attached(t: ExecutionContext) {
	const parts = await served(t);
	return {...parts, client: await RawClient.connect(parts.path)};
}

/** Waits for what is to happen by itself. */
export async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The checksum of a packet's data. */
export function checksum(text: string): string {
	const sum = Buffer.from(text, 'latin1').reduce((total, byte) => (total + byte) & 0xff, 0);
	return sum.toString(16).padStart(2, '0');
}
