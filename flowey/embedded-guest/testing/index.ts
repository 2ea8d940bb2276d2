export {hasQemu, type QemuResult, type QemuRun, runInQemu} from './qemu.ts';
