import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import type {FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {Errno} from '#support/ffi';
import {ForgetIn, Opcode} from './layout.ts';
import {FsDriver} from './testing/fs-driver.ts';

test('what a client forgets while its files are found again is forgotten when they are', async (t) => {
	const held: (() => void)[] = [];
	let holds = false;
	const object: FolderObject = {
		lstat: (path) => {
			const stat = path === '/' ? {mode: 0o040755, size: 0} : {mode: 0o100644, size: 5};
			return holds ? new Promise((resolve) => held.push(() => resolve(stat))) : stat;
		},
		readdir: () => [],
	};
	const folders = [calledObject(object), calledObject(object)] as const;
	for (const {close} of folders) t.teardown(close);
	const guest = await FsDriver.over(folders[0].folder);
	t.teardown(() => guest.machine.dispose());
	const [kept, forgotten] = [await guest.lookup(1, 'kept'), await guest.lookup(1, 'forgotten')];
	await guest.machine.stop();
	holds = true;
	const again = await FsDriver.goesOnOver(folders[1].folder, guest);
	t.teardown(() => again.machine.dispose());
	const turn = async () => {
		for (const [worker] of again.machine.workers.entries()) again.machine.turn(worker);
		await setImmediate();
	};
	while (held.length === 0) await turn();
	again.tell(Opcode.FORGET, forgotten, ForgetIn.encode({nlookup: 1}));
	for (let turns = 0; turns < 20; turns++) await turn();
	holds = false;
	for (const each of held) each();
	t.is(await again.attributes(forgotten), -Errno.ESTALE);
	t.like(await again.attributes(kept), {size: 5n});
});
