import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {VmmError} from '#support/errors';
import {Errno} from '#support/ffi';
import {kvmKind, probeKvm} from './capabilities.ts';
import {kvmIoctl} from './ioctl.ts';
import {createFailure, openFailure} from './system.ts';

function withFolder(use: (folder: string) => void): void {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-kvm-'));
	try {
		use(folder);
	} finally {
		rmSync(folder, {recursive: true});
	}
}

test('a host without the device is told so, with what to do', (t) => {
	const error = t.throws(() => probeKvm({device: '/nonexistent/kvm'}), {code: 'KVM_MISSING'}) as VmmError;
	t.is(error.message, 'No KVM on this host: opening /nonexistent/kvm gave ENOENT');
	t.regex(error.remedy ?? '', /modprobe kvm_intel or kvm_amd.*nested virtualization.*npm run incubator/);
});

test('a plain file in place of the device is no KVM', (t) => {
	withFolder((folder) => {
		const device = join(folder, 'kvm');
		writeFileSync(device, '');
		t.throws(() => probeKvm({device}), {code: 'KVM_MISSING', message: /ENOTTY$/});
	});
});

test('a device that may not be opened names its group', (t) => {
	const {code, remedy, context} = openFailure('/etc/passwd', Errno.EACCES);
	t.is(code, 'KVM_PERMISSION');
	t.is(context['group'], 'root');
	t.regex(remedy ?? '', /usermod -aG root/);
});

test('a processor that another hypervisor holds is busy, other failures carry their errno', (t) => {
	t.is(createFailure('/dev/kvm', Errno.EBUSY).code, 'KVM_BUSY');
	const other = createFailure('/dev/kvm', Errno.ENOMEM);
	t.deepEqual([other.code, other.message], ['KVM_IOCTL_FAILED', 'KVM_CREATE_VM failed with ENOMEM']);
});

test('the kind of KVM follows from the loaded modules, kvm_pvm first', (t) => {
	withFolder((modules) => {
		t.is(kvmKind(modules), 'unknown');
		mkdirSync(join(modules, 'kvm_intel'));
		t.is(kvmKind(modules), 'vmx');
		mkdirSync(join(modules, 'kvm_amd'));
		t.is(kvmKind(modules), 'svm');
		mkdirSync(join(modules, 'kvm_pvm'));
		t.is(kvmKind(modules), 'pvm');
	});
});

test('a failed ioctl throws its name and errno, as message and as data', (t) => {
	const error = t.throws(() => kvmIoctl(-1, 'KVM_GET_REGS', 0, 'vCPU 3'), {code: 'KVM_IOCTL_FAILED'}) as VmmError;
	t.is(error.message, 'KVM_GET_REGS failed with EBADF: vCPU 3');
	t.deepEqual(error.context, {ioctl: 'KVM_GET_REGS', errno: Errno.EBADF, detail: 'vCPU 3'});
});
