export {CryptDisk} from './crypt-disk.ts';
export {readKey} from './read-key.ts';
