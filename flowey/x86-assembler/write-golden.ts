// Writes the golden bytes anew after a form was added: npx tsx flowey/x86-assembler/write-golden.ts
import {writeFileSync} from 'node:fs';
import {gnuBytes} from './gnu-assembler.ts';
import {instructionForms} from './instruction-forms.ts';

const golden = gnuBytes(instructionForms());
writeFileSync(new URL('./instruction-forms.json', import.meta.url), `${JSON.stringify(golden, null, '\t')}\n`);
