import test from 'ava';
import {generator} from '#devices/conformance';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {commandUnit, type UnitConfig, type UnitState} from './index.ts';
import {Initiator} from './testing/index.ts';

const bytes = 2 ** 18;
const units: readonly UnitConfig[] = [
	{lun: 0, disk: {kind: 'memory', bytes}, readOnly: false},
	{lun: 1, disk: {kind: 'memory', bytes}, readOnly: true},
	{lun: 2, disk: {kind: 'memory', bytes}, readOnly: false, dvd: true},
];
const perOpcode = 60;
/** Bytes that mean something in lengths, addresses and flags. */
const telling = [0, 1, 2, 3, 4, 7, 8, 0x10, 0x12, 0x1f, 0x2a, 0x3f, 0x7f, 0x80, 0xff];
const kinds = ['attach-lun', 'detach-lun', 'eject-medium', 'insert-medium'];

test('every operation code with any bytes, data and room ends once, by a status that says why', async (t) => {
	t.timeout(900_000);
	const below = generator(11);
	const disks = new HeldDisks();
	const initiator = await Initiator.make(units, disks.open);
	const all = initiator.state.units.slice(0, units.length);
	const seen = new Set<string>();
	let done = 0;
	for (let opcode = 0; opcode < 256; opcode++)
		for (let time = 0; time < perOpcode; time++) {
			disks.holds = below(4) === 0;
			const cdb = Array.from({length: 16}, () => (below(2) === 0 ? 0 : (telling[below(telling.length)] as number)));
			cdb[0] = opcode;
			// A command with a bit of the control byte is refused for that, and says nothing of the rest.
			for (const last of [5, 9, 11, 15]) if (below(4) > 0) cdb[last] = (cdb[last] as number) & ~4;
			const length = [0, 4, 24, 512, 4096][below(5)] as number;
			const isOut = below(2) === 0;
			const out = Uint8Array.from({length: isOut ? length : 0}, () => below(3) * below(256));
			const request = initiator.send(cdb, {lun: below(4), out, room: isOut ? 0 : length});
			if (below(50) === 0) {
				const index = below(units.length);
				const asked = {kind: kinds[below(kinds.length)] as string, lun: index, force: below(2) === 0};
				commandUnit(asked, all[index] as UnitState, index === 2, all);
				disks.finish();
				await initiator.follow();
			}
			disks.holds = false;
			disks.finish();
			await request.finished;
			done++;
			const {status, sense, moved, dataIn, dataOut} = request;
			t.true(status === 0 || status === 2);
			if (status === 2) t.true(sense.length === 18 || sense.length === 8);
			if (moved > dataIn + dataOut || moved < 0) t.fail(`${moved} of ${dataIn + dataOut} bytes by ${cdb}`);
			if (request.vectors.count > 0) t.fail(`memory is held after ${cdb}`);
			seen.add(status === 0 ? 'good' : `${sense[sense.length === 18 ? 2 : 1]}`);
		}
	t.is(done, 256 * perOpcode);
	for (const key of ['good', '2', '5', '6', '7']) t.true(seen.has(key), `${key} of ${[...seen]}`);
	await initiator.units.close();
});
