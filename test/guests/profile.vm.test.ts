import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {startProfile} from '#main/profile';
import {vmTest, x86BackEnds} from '#test/petri';
import {profileRounds, profileTarget} from '#test/tmk';

/** Enough that chance moves a part by less than a fiftieth, usually. */
const enough = 600;

interface File {
	readonly shared: {readonly frames: readonly {readonly name: string}[]};
	readonly profiles: readonly {
		readonly samples: readonly (readonly number[])[];
		readonly weights: readonly number[];
	}[];
}

vmTest(
	'a profile has the functions of a guest as they call each other, each as often as it is executed',
	{on: x86BackEnds},
	async (t, machine) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-profile-'));
		t.teardown(() => rmSync(folder, {recursive: true}));
		const [path, symbols] = [join(folder, 'profile.json'), join(folder, 'symbols')];
		const names = ['main', 'outer', 'heavy', 'light'] as const;
		const line = (name: string) => `${profileTarget.addressOf(name).toString(16).padStart(16, '0')} T ${name}\n`;
		writeFileSync(symbols, names.map(line).join(''));
		const {vm} = await machine({kernel: profileTarget});
		const profile = await startProfile(vm, {path, hz: 1000, symbols: [{path: symbols}]});
		const all = Promise.withResolvers<void>();
		const seen: {readonly at: bigint; readonly ms: number}[] = [];
		const stop = vm.listenToSamples(1000, {
			sample({frames: [at = 0n], ms, isUser, isWaiting}) {
				t.false(isUser || isWaiting);
				seen.push({at, ms});
				if (seen.length === enough) all.resolve();
			},
		});
		await vm.start();
		await all.promise;
		stop();
		await profile.finish();
		vm.memory.writeU64(profileTarget.addressOf('stop'), 1);
		t.like(await vm.ended, {kind: 'exit'});

		const {shared, profiles} = JSON.parse(readFileSync(path, 'utf8')) as File;
		const [cpu] = profiles;
		const spent = new Map<string, number>();
		for (const [index, stack] of (cpu?.samples ?? []).entries()) {
			const text = stack.map((frame) => shared.frames[frame]?.name).join(' ');
			spent.set(text, (spent.get(text) ?? 0) + (cpu?.weights[index] ?? 0));
		}
		const [heavy, light] = ['[kernel] main outer heavy', '[kernel] main light'];
		const usual = (spent.get(heavy) ?? 0) + (spent.get(light) ?? 0);
		const whole = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
		// Between these functions, and where they have no frame yet.
		t.true(usual > 0.95 * whole, JSON.stringify([...spent]));

		const start = (name: string) => BigInt(profileTarget.addressOf(name));
		const inHeavy = seen.filter(({at}) => at >= start('heavy') && at < start('light'));
		const part = profileRounds.heavy / (profileRounds.heavy + profileRounds.light);
		t.true(Math.abs(inHeavy.length / seen.length - part) < 0.1, `${inHeavy.length} of ${seen.length}`);
		// The listener heard all that the file has.
		const heard = inHeavy.reduce((sum, {ms}) => sum + ms, 0);
		const written = spent.get(heavy) ?? 0;
		t.true(Math.abs(written - heard) < 0.01, `${written} ms of ${heard}`);
	},
);
