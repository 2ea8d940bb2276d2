export {asAddress, below, masked, oneOf, within} from './checks.ts';
export {type Guest, guest, unchecked} from './guest-value.ts';
