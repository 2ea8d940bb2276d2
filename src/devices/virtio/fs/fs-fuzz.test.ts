import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import {InHeader, Opcode} from './layout.ts';
import {FsDriver} from './testing/fs-driver.ts';

const [rounds, steps] = [12, 300];
/** Values that mean something as nodes, handles, lengths, offsets and flags. */
const words = [0, 1, 2, 3, 4, 7, 16, 40, 255, 4095, 4096, 0x7fff, 0xffff, 0x1_0000, 0x1241ff, 2 ** 31, 2 ** 32 - 1];
const names = ['a', 'b', 'sub', 'file', 'link', 'out', '..', '.', '/', '../outside', 'x'.repeat(255), 'y'.repeat(300)];
const opcodes = [...Object.values(Opcode), 0, 49, 4096, 2 ** 32 - 1];

/** What a step of the guest has to do with afterwards. */
const isTree = (path: string): string[] => readdirSync(path).sort();

for (const owner of ['host', 'mapped'] as const)
	test(`a client that asks for anything at any time gets no further than its folder, with owners of the ${owner}`, async (t) => {
		t.timeout(240_000);
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-fs-fuzz-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
		mkdirSync(outside);
		writeFileSync(join(outside, 'file'), 'secret');
		const below = seeded(owner === 'host' ? 31 : 32);
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const seen = {answers: 0, errors: new Set<number>(), silent: 0};
		for (let round = 0; round < rounds; round++) {
			rmSync(inside, {recursive: true, force: true});
			mkdirSync(join(inside, 'sub'), {recursive: true});
			writeFileSync(join(inside, 'file'), 'content');
			symlinkSync(outside, join(inside, 'out'));
			const options = {owner, xattrs: true, locks: true, mostNodes: 50, mostHandles: 20};
			const guest = await FsDriver.mounted(inside, options);
			const word = () => {
				const bytes = Buffer.alloc(any([4, 8]));
				bytes.writeUInt32LE(chance(80) ? below(8) : any(words));
				return bytes;
			};
			const piece = () => (chance(70) ? word() : Buffer.from(`${any(names)}${chance(90) ? '\0' : ''}`));
			for (let step = 0; step < steps; step++) {
				const body = Buffer.concat(Array.from({length: below(14)}, piece));
				const opcode = any(opcodes);
				const node = chance(90) ? below(12) : any(words);
				const room = any([0, 1, 15, 16, 17, 24, 100, 160, 1000, 65_536]);
				const len = InHeader.size + body.length;
				const header = {
					room,
					len: chance(95) ? len : any([0, 39, len - 1, len + 1, ...words]),
					uid: any([0, 1000, 2 ** 32 - 1]),
					gid: any([0, 1000]),
				};
				if (chance(5)) {
					await guest.say(any([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, opcode]), node, body);
					continue;
				}
				const {error} = await guest.ask(opcode === Opcode.SETLKW ? Opcode.SETLK : opcode, node, body, header);
				if (Number.isNaN(error)) seen.silent++;
				else {
					seen.answers++;
					seen.errors.add(error);
				}
				// Whoever has left comes again.
				if (opcode === Opcode.DESTROY) await guest.init();
			}
			await guest.machine.stop();
			t.deepEqual(guest.machine.failures, []);
			t.is(guest.machine.pins, 0);
			await guest.machine.dispose();
			t.deepEqual(isTree(outside), ['file']);
			t.is(readFileSync(join(outside, 'file'), 'utf8'), 'secret');
			t.deepEqual(isTree(folder), ['inside', 'outside']);
		}
		t.log(seen);
		t.true(seen.answers > 1000 && seen.silent > 50 && seen.errors.has(0) && seen.errors.size > 10);
	});
