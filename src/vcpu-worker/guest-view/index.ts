export {GuestView} from './guest-view.ts';
export {type PagingRegisters, walk} from './page-walk.ts';
