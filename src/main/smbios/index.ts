export {smbiosError} from './errors.ts';
export {openvmmIdentity, type SmbiosIdentity} from './identity.ts';
export {buildSmbiosTables, type SmbiosTables} from './smbios-tables.ts';
