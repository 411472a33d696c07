<?php
// SPDX-License-Identifier: MIT
namespace Example\Backchannel\Observer;

use Magento\Framework\Event\Observer;
use Magento\Framework\Event\ObserverInterface;

/**
 * Reports the order, once it is committed. Not sales_order_save_after, which comes with each save and
 * before the commit; not the success page, which many never see. 300 ms at most, and never a failure of
 * the order's. What the daemon was not there for is found by its own "commerce.pull", or reported again
 * from quote.bc_click and sales_order.increment_id: the order's id makes that safe.
 */
class ReportOrder implements ObserverInterface
{
    public function execute(Observer $observer)
    {
        try {
            $click = $observer->getEvent()->getData('quote')->getData('bc_click');
            $order = $observer->getEvent()->getData('order')->getIncrementId();
            if ($click) {
                $this->post(['order' => (string) $order, 'click' => $click]);
            }
        } catch (\Throwable $e) {
            // The order is placed, whatever happened here.
        }
    }

    private function post(array $report): void
    {
        $headers = ['Content-Type: application/json'];
        if ($token = getenv('BACKCHANNEL_API_TOKEN')) {
            $headers[] = 'Authorization: Bearer ' . $token;
        }
        // PHP-FPM passes no environment on unless it is told to (clear_env, env[...]).
        $curl = curl_init((getenv('BACKCHANNEL_URL') ?: 'http://127.0.0.1:8787') . '/v1/orders');
        // NOSIGNAL: without it some builds of curl round a timeout below a second up.
        curl_setopt_array($curl, [CURLOPT_POSTFIELDS => json_encode($report), CURLOPT_HTTPHEADER => $headers,
            CURLOPT_TIMEOUT_MS => 300, CURLOPT_NOSIGNAL => true, CURLOPT_RETURNTRANSFER => true, CURLOPT_PROXY => '']);
        curl_exec($curl);
        curl_close($curl);
    }
}
