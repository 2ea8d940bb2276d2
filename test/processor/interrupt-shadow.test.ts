import test from 'ava';
import {codeAt, startBytes} from './raw-code.ts';

const [rounds, turn] = [10_000, 97];

/** MOV EDX,10000; again: MOV ECX,5; JMP closed; open: STI; closed: CLI; DEC ECX; JNZ open; DEC EDX; JNZ again; HLT. */
const code = [
	...[0xba, 0x10, 0x27, 0, 0, 0xb9, 5, 0, 0, 0, 0xeb, 1, 0xfb, 0xfa, 0xff, 0xc9, 0x75, 0xfa],
	...[0xff, 0xca, 0x75, 0xef, 0xf4],
];

for (const heat of [undefined, 50])
	test(`no interrupt comes between STI and the next instruction, where others go too: heat ${heat}`, (t) => {
		const {processor} = startBytes(code, codeAt);
		processor.heat = heat;
		let [polls, open] = [0, 0];
		for (; processor.run(turn) === 'polled'; polls++) if (processor.canInterrupt) open++;
		t.true(polls > (rounds * 5) / turn, `${polls}`);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
		t.is(open, 0);
	});
