export {checkExt4, debugfs, hasExt4Tools} from './ext4-tools.ts';
