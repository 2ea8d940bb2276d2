import {type Assembler, dword, eax, ecx, edx, qword, r8, r8d, r9, r9d, rax, rsi} from '#flowey/x86-assembler';
import {leaveVector} from './descriptor-tables.ts';
import {arrayChunks, expectedChunkSums, hashMultipliers, itemsPerChunk, workItems} from './work.ts';

/**
 * The guest's real work, in user mode: chunks of a shared array are taken from a shared counter and hashed.
 * Every CPU starts when the boot CPU raises `work-go`, and leaves with R8 chunks done and R9 their sum.
 */
export function emitUserWork(asm: Assembler): void {
	const {label, mov, cmp, jne, jmp, pause, prefix, xadd, jae, xor, add, inc, dec, jnz, shr, shl, imul, syscall} = asm;
	label('user-main');
	cmp(dword('work-go'), 0);
	jne('user-work');
	pause();
	jmp('user-main');

	label('user-work');
	cmp(dword('option-fault'), 0);
	jne('user-fault');
	xor(r8d, r8d);
	xor(r9d, r9d);
	label('user-chunk');
	mov(eax, 1);
	prefix('lock');
	xadd(qword('next-chunk'), rax);
	cmp(rax, qword('chunk-limit'));
	jae('user-done');
	asm.and(eax, arrayChunks - 1);
	shl(eax, Math.log2(itemsPerChunk * 4));
	asm.lea(rsi, qword(rax, 'work-items'));
	mov(edx, itemsPerChunk);
	label('user-item');
	mov(eax, dword(rsi));
	hashSteps(asm);
	add(r9, rax);
	add(rsi, 4);
	dec(edx);
	jnz('user-item');
	inc(r8);
	jmp('user-chunk');

	label('user-fault'); // `fault`: a privileged instruction, which user mode may not run
	asm.hlt();

	label('user-done');
	cmp(dword('option-leave'), 0);
	jne('user-leave-by-interrupt');
	syscall();
	label('user-leave-by-interrupt');
	asm.int(leaveVector);

	/** EAX becomes its hash; the same steps as `hashItem`. */
	function hashSteps({mov: move}: Assembler): void {
		const fold = (shift: number): void => {
			move(ecx, eax);
			shr(ecx, shift);
			xor(eax, ecx);
		};
		fold(16);
		imul(eax, eax, hashMultipliers[0]);
		fold(13);
		imul(eax, eax, hashMultipliers[1]);
		fold(16);
	}
}

/** Shared counters, each on its own cache line, then the array and the sums it must give. */
export function emitUserWorkData(asm: Assembler): void {
	const {label, align, qwords, bytes, zeros} = asm;
	for (const variable of ['next-chunk', 'chunk-limit', 'work-go']) {
		align(64, 0);
		label(variable);
		qwords(0);
	}
	align(64, 0);
	label('work-items');
	bytes(new Uint8Array(workItems().buffer));
	label('chunk-sums');
	qwords(...expectedChunkSums());
	zeros(8);
}
