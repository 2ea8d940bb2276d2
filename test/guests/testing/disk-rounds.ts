import {createHash} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import type {OpenSnapshot} from '#main/snapshot';
import {openTestSnapshot, pressed, snapshotPlace, type TestVm} from '#test/petri';

const names = ['one', 'two'] as const;
/** A part of the disk has so many pieces; a round is about one, by this many commands of 16 KiB. */
const [pieces, commands] = [24, 64];
const partBytes = pieces * commands * 2 ** 14;

/** Bytes that the disk has to have, all of them zeros at first. */
export const roundsBytes: number = names.length * partBytes;

/** Writes a piece of a part past the cache, reads it and compares, then the next one, until the power button is pressed. */
const rounds = (disk: string, name: string, part: number) =>
	[
		`exec 2>/dev/null; dd of=/tmp/${name} bs=16k seek=${pieces * commands} count=0; i=0`,
		`until ${pressed()}; do at=$((i%${pieces}*${commands})); on=$((at+${part * pieces * commands}))`,
		`dd if=/dev/urandom of=/tmp/${name} bs=16k seek=$at count=${commands} conv=notrunc`,
		`dd if=/tmp/${name} of=${disk} bs=16k skip=$at seek=$on count=${commands} oflag=direct conv=notrunc`,
		`dd if=${disk} of=/tmp/${name}.got bs=16k skip=$on count=${commands} iflag=direct`,
		`dd if=/tmp/${name} bs=16k skip=$at count=${commands} | cmp - /tmp/${name}.got && echo ${name} $i same`,
		`i=$((i+1)); done; echo ${name}=$i $(sha256sum </tmp/${name} | cut -c 1-64)`,
	].join('; ');

/**
 * Shell that uses a disk by two programs without pause until the power button is pressed, for {@link goOnAmidRounds}. The guest has
 * loaded what hears of the button.
 */
export const diskRounds = (disk: string): string =>
	`${names.map((name, part) => `(${rounds(disk, name, part)}) &`).join(' ')} wait`;

const roundsOf = (name: string, output: string) =>
	[...output.matchAll(new RegExp(`^${name} (\\d+) same\\r?\\n`, 'gm'))].map(([, round]) => Number(round));

/**
 * Saves a guest amid its rounds, which end only when the restored machine was seen to go on with them, and lets that end. No round was
 * lost or was done twice, and each read what it wrote.
 * @param content - the disk's bytes afterwards
 * @returns all that both machines have said
 */
export async function goOnAmidRounds(
	t: ExecutionContext,
	guest: TestVm,
	restore: (snapshot: OpenSnapshot) => Promise<TestVm>,
	content: () => Uint8Array | Promise<Uint8Array>,
): Promise<string> {
	const directory = snapshotPlace(t);
	for (const name of names) await guest.waitFor(new RegExp(`^${name} 1 same`, 'm'));
	await guest.vm.pause();
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	t.notRegex(guest.output, /^(one|two)=/m);
	const restored = await restore(openTestSnapshot(t, directory));
	await restored.vm.start();
	// The first of them was under way.
	for (const name of names) await restored.waitFor(new RegExp(`(${name} \\d+ same[\\s\\S]*){3}`));
	await restored.vm.powerButton();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
	const output = guest.output + restored.output;
	const bytes = await content();
	for (const [part, name] of names.entries()) {
		const [, count, digest = 'none'] = new RegExp(`^${name}=(\\d+) ([0-9a-f]{64})\\r?$`, 'm').exec(output) ?? [];
		t.deepEqual(
			roundsOf(name, output),
			Array.from({length: Number(count)}, (_, round) => round),
			output,
		);
		const there = createHash('sha256').update(bytes.subarray(part * partBytes, (part + 1) * partBytes));
		t.is(there.digest('hex'), digest, output);
	}
	return output;
}
