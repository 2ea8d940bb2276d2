import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type OpenSnapshot, openSnapshot} from '#main/snapshot';

/** A folder's place for a snapshot, gone when the test ends. */
export function snapshotPlace(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-snapshot-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return join(folder, 'snapshot');
}

/** An open snapshot, closed when the test ends. */
export function openTestSnapshot(t: ExecutionContext, directory: string): OpenSnapshot {
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	return snapshot;
}

/** The snapshot as it would be had it been made so much earlier. */
export const madeEarlier = (snapshot: OpenSnapshot, ms: number): OpenSnapshot => ({
	...snapshot,
	async readUnits(most) {
		const units = await snapshot.readUnits(most);
		const time = units['time'] as {readonly stoppedAtMs: number};
		return {...units, time: {...time, stoppedAtMs: time.stoppedAtMs - ms}};
	},
});
