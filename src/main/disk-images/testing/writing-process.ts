/** A process that writes a disk until it is killed: its words are the disk, and the number of the round with which it begins. */
import {writeSync} from 'node:fs';
import {DiskOperation} from '#devices/storage/disk';
import {diskStack} from '#devices/storage/source/testing';
import {changesOf} from './written-rounds.ts';

const [source = '', first = ''] = process.argv.slice(2);
await diskStack(source, async ({disk, write, run}) => {
	for (let round = Number(first); ; round++) {
		const errors = await Promise.all(
			changesOf(round, disk.bytes).map(({offset, length, bytes}) =>
				bytes === undefined
					? run({operation: DiskOperation.WRITE_ZEROES, offset, length, mayUnmap: true})
					: write(offset, bytes),
			),
		);
		errors.push(await run({operation: DiskOperation.FLUSH}));
		if (errors.some((error) => error !== 0)) throw new Error(`round ${round} ended with ${errors}`);
		writeSync(1, `${round}\n`);
	}
});
