import {addressOf, close} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {type DebugSupport, debugRegisters} from '#vcpu-worker/debug';
import {vcpuMmapSize} from './capabilities.ts';
import {Exit} from './constants.ts';
import {ExitReader} from './exits.ts';
import {setGuestDebug} from './guest-debug.ts';
import {KvmVm} from './kvm-vm.ts';
import {openKvm} from './system.ts';
import {controlBytes, KvmVcpu} from './vcpu.ts';

const codeAddress = 0x1000;
/** nop; int3; hlt; and vector 3, whose handler is a hlt as well. Without interrupt controllers, hlt is an exit. */
const code = [0x90, 0xcc, 0xf4];
const handler = 0x2000;

/**
 * Tries on a guest of a few bytes what stops a guest here: an emulator that hosts KVM may deliver neither INT3 nor debug
 * registers (QEMU's TCG), and KVM may lack INT3 in its own emulator (`kvm_pvm`).
 * @throws VmmError of the KVM layer
 */
export function probeDebug(): DebugSupport {
	const software = stops(1, (fd) => setGuestDebug(fd, {singleStep: false, softwareBreakpoints: true}));
	const address = BigInt(codeAddress + 1);
	const registers = debugRegisters([{address, kind: 'execute', length: 1}]);
	const hardware = stops(1, (fd) =>
		setGuestDebug(fd, {singleStep: false, softwareBreakpoints: false, debugRegisters: registers}),
	);
	return {software, hardware};
}

/** True when the guest stops for the debugger at this offset of its code. */
function stops(offset: number, prepare: (vcpuFd: number) => void): boolean {
	const kvmFd = openKvm();
	const partition = KvmVm.create(kvmFd);
	try {
		const buffer = allocateSharedPages(0x10000);
		const ram = new Uint8Array(buffer);
		ram.set(code, codeAddress);
		ram.set([handler & 0xff, handler >> 8, 0, 0], 3 * 4);
		ram[handler] = 0xf4;
		partition.setMemory({slot: 0, gpa: 0, length: ram.length, hostAddress: addressOf(buffer)});
		const control = {buffer: allocateSharedPages(0x10000), byteOffset: 0, byteLength: 0x10000};
		const vcpu = KvmVcpu.create(partition.fd, 0, control, vcpuMmapSize(kvmFd));
		try {
			const special = vcpu.getSpecial();
			vcpu.setSpecial({...special, cs: {...special.cs, base: 0n, selector: 0}});
			vcpu.setGeneral({...vcpu.getGeneral(), rip: BigInt(codeAddress), rsp: 0x8000n, rflags: 2n});
			prepare(vcpu.fd);
			const exit = new ExitReader(controlBytes(control));
			return vcpu.run() === 0 && exit.reason === Exit.DEBUG && exit.debug().pc === BigInt(codeAddress + offset);
		} finally {
			vcpu.close();
		}
	} finally {
		partition.close();
		close(kvmFd);
	}
}
