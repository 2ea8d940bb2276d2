import {cr3, dword, eax, ecx, qword, r8d, r9, r9d, r10, rax, rbp, rdi, rsp} from '#flowey/x86-assembler';
import {Random} from '#test/silicon';
import {InterruptingGuests, lineBytes, type RacePrograms, words} from './interrupting-guests.ts';
import {judged, type ProofPart} from './part.ts';

/** The address that processors go by, the table with its entry, and two pages that it can mean. */
const [linear, pointers, directory, table] = [0x4000_0000, 0x30_1000, 0x31_0000, 0x31_1000];
const pages = [0x80_0000, 0x80_1000] as const;
/** A page's first word, and a word for each user that it counts in. */
const countersAt = 0x100;
const [valid, poison] = [0x600d, 0xbad];
/** A round's entry of the table, and the first words of both pages when others know; what it finds. */
const [plansAt, logsAt, errorsAt] = [0x40_0000, 0x60_0000, 0x23_1000];
const [planBytes, logBytes] = [16, 128];
const [present, writable, accessed, dirty] = [1n, 2n, 0x20n, 0x40n];
const maxUsers = 3;
/** In fewer rounds it may be that no processor has time to write. */
const fewRounds = 20;
/** Times that the entry comes and goes before a round, and instructions until it is looked at. */
const [storms, delay] = [64, 300];
const registers = {r10: 10, rdi: 7} as const;

/** The entry when it is cleared, and when others know the next one; counters of both pages then, a moment later, and when all know that it is cleared. */
const log = {old: 0, now: 8, first: 16, second: 40, cleared: 64} as const;

function programsFor(rounds: number, processors: number) {
	return {
		general: {[registers.rdi]: linear, [registers.r10]: logsAt},
		changer: ({mov, shl, xchg, xor, add, inc, cmp, je, jne, label, pause, dec, jnz}, sync) => {
			const read = (to: number) => {
				for (const [index, page] of pages.entries()) {
					for (let user = 1; user < processors; user++) {
						mov(eax, dword(page + countersAt + user * lineBytes));
						mov(dword(r10, to + (index * maxUsers + user - 1) * 4), eax);
					}
				}
			};
			mov(r8d, 0);
			label('round');
			for (const page of pages) mov(dword(page), valid);
			xor(eax, eax);
			xchg(qword(table), rax);
			mov(qword(r10, log.old), rax);
			sync();
			read(log.cleared);
			// Others mark an entry as it comes and goes: nothing may bring it back.
			mov(r9d, storms);
			label('storm');
			mov(rax, BigInt(pages[0]) | present | writable);
			xchg(qword(table), rax);
			mov(ecx, r9d);
			label('there');
			dec(ecx);
			jnz('there');
			xor(eax, eax);
			xchg(qword(table), rax);
			mov(ecx, delay);
			label('gone');
			dec(ecx);
			jnz('gone');
			cmp(qword(table), 0);
			je('still-gone');
			inc(dword(errorsAt));
			label('still-gone');
			dec(r9d);
			jnz('storm');
			mov(r9d, r8d);
			shl(r9d, 4);
			mov(rax, qword(r9, plansAt));
			xchg(qword(table), rax);
			sync();
			mov(rax, qword(table));
			mov(qword(r10, log.now), rax);
			read(log.first);
			for (const [index, page] of pages.entries()) {
				mov(eax, dword(r9, plansAt + 8 + index * 4));
				mov(dword(page), eax);
			}
			mov(ecx, delay);
			label('pass');
			pause();
			dec(ecx);
			jnz('pass');
			read(log.second);
			add(r10, logBytes);
			inc(r8d);
			cmp(r8d, rounds);
			jne('round');
		},
		user: ({mov, cmp, jne, jc, inc, label, xor, bt, invlpg}) => {
			// For two rounds each access is a walk; for the next two what is known lasts until others say that it is gone.
			bt(dword(words.request), 2);
			jc('known');
			invlpg(dword(rdi));
			label('known');
			xor(eax, eax);
			mov(eax, dword(rdi));
			label('looked');
			cmp(eax, poison);
			jne('right');
			inc(dword(rbp, errorsAt));
			label('right');
			// Counts by a read and a write.
			inc(dword(rbp, linear + countersAt));
			label('touched');
		},
		acknowledge: ({invlpg, mov, bt, jc, jmp, label}) => {
			// By turns: one entry, or all.
			bt(dword(words.request), 1);
			jc('all');
			invlpg(dword(rdi));
			jmp('forgotten');
			label('all');
			mov(rax, cr3);
			mov(cr3, rax);
			label('forgotten');
		},
		exception: ({test, mov, je, jmp, add, label}) => {
			// The instruction is left out. The error code tells a write.
			test(dword(rsp), 2);
			je('read');
			add(rsp, 8);
			mov(qword(rsp), 'touched');
			jmp('out');
			label('read');
			add(rsp, 8);
			mov(qword(rsp), 'looked');
			label('out');
		},
	} satisfies RacePrograms;
}

async function race(processors: number, rounds: number, random: Random): Promise<readonly string[]> {
	const guests = new InterruptingGuests(processors);
	const {ram} = guests.guest.lone;
	const quads = new BigUint64Array(ram.buffer);
	const view = new DataView(ram.buffer);
	quads[pointers / 8 + 1] = BigInt(directory) | 7n;
	quads[directory / 8] = BigInt(table) | 7n;
	const plans = Array.from({length: rounds}, (_, round) => {
		const page = random.below(2);
		const rights = random.pick([0n, present, present | writable, present | writable]);
		const entry = rights === 0n ? 0n : BigInt(pages[page] as number) | rights;
		const at = plansAt + round * planBytes;
		view.setBigUint64(at, entry, true);
		for (const index of [0, 1])
			view.setUint32(at + 8 + index * 4, rights !== 0n && index === page ? valid : poison, true);
		return {page, rights, entry};
	});
	const ends = await guests.run(programsFor(rounds, processors));
	const wrong = ends.flatMap(({stop}, self) => (stop === 'halted' ? [] : [`processor ${self} ended by ${stop}`]));
	const revived = view.getUint32(errorsAt, true);
	if (revived > 0) wrong.push(`an entry came back ${revived} times after it was cleared`);
	for (let user = 1; user < processors; user++) {
		const reads = view.getUint32(errorsAt + user * lineBytes, true);
		if (reads > 0) wrong.push(`processor ${user} read a page ${reads} times that was no longer there`);
	}
	const counters = (round: number, from: number, page: number): readonly number[] =>
		Array.from({length: maxUsers}, (_, user) =>
			view.getUint32(logsAt + round * logBytes + from + (page * maxUsers + user) * 4, true),
		);
	const isSame = (a: readonly number[], b: readonly number[]) => a.every((value, index) => value === b[index]);
	for (const [round, {page, rights, entry}] of plans.entries()) {
		const say = (text: string) => wrong.push(`round ${round} with ${processors} processors: ${text}`);
		for (const index of [0, 1]) {
			const isWritable = index === page && (rights & writable) !== 0n;
			const isStill = isSame(counters(round, log.first, index), counters(round, log.second, index));
			if (!isWritable && !isStill) say(`page ${index} was written by an entry that is gone`);
		}
		const now = view.getBigUint64(logsAt + round * logBytes + log.now, true);
		if (entry === 0n && now !== 0n) say(`the entry is ${now.toString(16)} though it was cleared`);
		if ((now & ~(accessed | dirty)) !== entry) say(`the entry is ${now.toString(16)}, not ${entry.toString(16)}`);
		if (round + 1 === rounds) continue;
		const old = view.getBigUint64(logsAt + (round + 1) * logBytes + log.old, true);
		const isWritten = !isSame(counters(round, log.first, page), counters(round + 1, log.cleared, page));
		if (isWritten && (old & (accessed | dirty)) !== (accessed | dirty))
			say(`the page was written, and the entry is ${old.toString(16)}`);
		if ((rights & writable) === 0n && (old & dirty) !== 0n) say('a page that cannot be written is dirty');
	}
	const total = counters(rounds - 1, log.second, 0).concat(counters(rounds - 1, log.second, 1));
	if (rounds >= fewRounds && total.every((count) => count === 0)) wrong.push('nobody has written');
	return wrong;
}

/** One processor changes an entry of a page table and tells the others by interrupts, which read and write by it meanwhile. */
export const shootdowns: ProofPart = {
	name: 'shootdowns',
	title: 'no access goes by a translation that others have been told to forget, and no accessed or dirty bit is lost',
	oracle: 'manual',
	unit: 'rounds',
	daily: 100,
	whole: 2000,
	share: 200,
	threads: 2,
	obstacle: () => undefined,
	async run({seed, first, count}) {
		const random = new Random(seed);
		random.restart(seed, first);
		const half = Math.ceil(count / 2);
		const wrong = [...(await race(2, half, random)), ...(await race(4, Math.max(count - half, 2), random))];
		return judged(count, wrong);
	},
};
