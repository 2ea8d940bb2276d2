/** The software processor behind the seam of hypervisors. */
export {software} from './software-hypervisor.ts';
