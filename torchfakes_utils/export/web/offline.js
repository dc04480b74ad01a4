// Keeping the page on this device (sw.js), and offering a newer version once there is one.

/**
 * @param onNewer is called once a newer version is there, with a function that takes it into use.
 * @returns a promise of whether the page is kept. Where it is not (a private window, a full disk, a page from http://),
 *   it works all the same.
 */
export async function keepOffline(onNewer) {
  if (!navigator.serviceWorker) return false;
  const controlled = Boolean(navigator.serviceWorker.controller);
  // The first version takes over by itself and changes nothing; a later one does.
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (controlled) location.reload();
  });
  try {
    const registration = await navigator.serviceWorker.register("sw.js");
    const offer = () => {
      if (registration.waiting && navigator.serviceWorker.controller) {
        onNewer(() => registration.waiting?.postMessage("take over"));
      }
    };
    offer();
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", offer);
    });
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    return false;
  }
}
