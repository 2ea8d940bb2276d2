import {byte, dword, eax, ecx, qword, r8d, r12d, r13d, rbp, rcx, rsp} from '#flowey/x86-assembler';
import {InterruptingGuests, lineBytes, type RacePrograms} from './interrupting-guests.ts';
import {judged, type ProofPart} from './part.ts';

/** MOV EAX,imm32; RET: its constant is what is patched, over the border of two lines. */
const [functionAt, movEax, int3, ret] = [0x80_003d, 0xb8, 0xcc, 0xc3];
/** A constant is four times the same byte, so that a mix of two is seen. */
const ofRound = 0x0101_0101;
/** The constant that all know; 1 while all know that there is no INT3; counters of each user. */
const [knownAt, steadyAt, errorsAt, trapsAt, callsAt, patchedAt] = [
	...[0x23_1000, 0x23_1040, 0x23_2000, 0x23_3000, 0x23_4000, 0x23_5000],
] as const;
/** What the handler of INT3 leaves where the constant would be: no constant. */
const trapped = 0x0102_0304;
const passes = 200;
/** In fewer rounds it may be that a processor has called between no two of them. */
const fewRounds = 20;

function programsFor(rounds: number) {
	return {
		general: {},
		// As Linux does it (text_poke): INT3, the tail, the first byte; behind each, all others serialize.
		changer: ({mov, add, inc, cmp, jne, label, pause, dec, jnz}, sync) => {
			mov(r8d, 0);
			mov(r12d, 0);
			label('round');
			inc(r8d);
			add(r12d, ofRound);
			mov(byte(functionAt), int3);
			sync();
			mov(dword(functionAt + 1), r12d);
			sync();
			mov(byte(functionAt), movEax);
			mov(dword(knownAt), r12d);
			sync();
			mov(dword(steadyAt), 1);
			mov(ecx, passes);
			label('pass');
			pause();
			dec(ecx);
			jnz('pass');
			mov(dword(steadyAt), 0);
			cmp(r8d, rounds);
			jne('round');
		},
		user: ({mov, cmp, je, jne, jae, inc, label, call, test, rol}) => {
			mov(r13d, r12d);
			mov(ecx, functionAt);
			call(rcx);
			cmp(eax, trapped);
			je('counted');
			test(eax, eax);
			je('unpatched');
			inc(dword(rbp, patchedAt));
			label('unpatched');
			mov(ecx, eax);
			rol(ecx, 8);
			cmp(ecx, eax);
			jne('wrong');
			cmp(eax, r13d);
			jae('counted');
			label('wrong');
			inc(dword(rbp, errorsAt));
			label('counted');
			inc(dword(rbp, callsAt));
		},
		// IRETQ serializes.
		acknowledge: ({mov}) => mov(r12d, dword(knownAt)),
		// Goes on at RET. Who has come here acknowledges nothing until it has left.
		exception: ({inc, add, mov, cmp, je, label}) => {
			inc(dword(rbp, trapsAt));
			cmp(dword(steadyAt), 0);
			je('patched');
			inc(dword(rbp, errorsAt));
			label('patched');
			add(qword(rsp), 4);
			mov(eax, trapped);
		},
	} satisfies RacePrograms;
}
async function race(
	processors: number,
	rounds: number,
): Promise<{readonly wrong: readonly string[]; readonly traps: number}> {
	const guests = new InterruptingGuests(processors);
	const {ram} = guests.guest.lone;
	ram.set([movEax, 0, 0, 0, 0, ret], functionAt);
	const ends = await guests.run(programsFor(rounds));
	const view = new DataView(ram.buffer);
	const wrong = ends.flatMap(({stop}, self) => (stop === 'halted' ? [] : [`processor ${self} ended by ${stop}`]));
	let traps = 0;
	for (let user = 1; user < processors; user++) {
		const of = (at: number) => view.getUint32(at + user * lineBytes, true);
		traps += of(trapsAt);
		if (of(errorsAt) > 0)
			wrong.push(`processor ${user} of ${processors} executed ${of(errorsAt)} mixtures or old instructions`);
		if (of(callsAt) === 0) wrong.push(`processor ${user} of ${processors} has called nothing`);
		if (rounds >= fewRounds && of(patchedAt) === 0)
			wrong.push(`no patch has come to processor ${user} of ${processors}`);
	}
	return {wrong, traps};
}

/** One processor patches code that others execute, as Linux does. */
export const patching: ProofPart = {
	name: 'patching',
	title: 'code that another processor patches runs as it was or as it will be, never as a mixture',
	oracle: 'manual',
	unit: 'rounds',
	daily: 60,
	whole: 2000,
	// A byte counts rounds.
	share: 200,
	threads: 2,
	obstacle: () => undefined,
	async run({count}) {
		const half = Math.ceil(count / 2);
		const results = [await race(2, half), await race(4, Math.max(count - half, 1))];
		const traps = results.reduce((sum, {traps}) => sum + traps, 0);
		return {
			...judged(
				count,
				results.flatMap(({wrong}) => wrong),
			),
			counts: {traps},
		};
	},
};
